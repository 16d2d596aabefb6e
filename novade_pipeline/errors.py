"""Failures that people read, and failures that no retry can mend.

Every error that a user can cause is a `UserError`: one sentence with what was expected, what was
found, where, and what to do. The command line prints it and exits with 2; no stack trace.
"""


class UserError(Exception):
    """Something that the person who runs this can put right."""


class PermanentFailure(UserError):
    """A failure that would happen again however often it is tried; never retried."""


class TransientFailure(Exception):
    """A failure that passes: a commit conflict, a file that changed while it was read."""
