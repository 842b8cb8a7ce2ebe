"""`python -m projection_worker.replay`: `teddy replay` with the settings of the environment."""

from projection_worker.replay.cli import replay

if __name__ == "__main__":
    replay()
