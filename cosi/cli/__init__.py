"""The generic command line: any resource of any COSI server."""
