"""Entry point of `python -m headgate`, which equals the command `headgate`."""

from headgate.cli import main

if __name__ == "__main__":
    main()
