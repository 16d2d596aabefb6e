"""`python -m novade_pipeline` is the command `novade`."""

from novade_pipeline.cli import main

if __name__ == "__main__":
    main()
