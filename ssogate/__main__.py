"""`python -m ssogate` is the command `ssogate`."""

from ssogate.cli import main

if __name__ == "__main__":
    main()
