"""What all topics have in common: the broker's settings, its access, the commands `novade streams`.

A domain of topics is a folder of its own, which declares `TOPICS` in its module `topic`.
"""
