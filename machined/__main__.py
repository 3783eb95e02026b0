"""`python -m machined`: the same as the command."""

from machined.main import main

if __name__ == "__main__":
    main()
