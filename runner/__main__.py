"""`python -m runner` is `headgate`."""

from runner.cli import main

if __name__ == "__main__":
    main()
