"""A state in another process: the client, on HTTP/2 of our own; runs on asyncio and on trio."""
