"""Errors for users, permanent and transient failures.

Every error that a user can cause is a `UserError`: one sentence with what was expected, what was
found, where, and what to do. The command line prints it without a stack trace and exits with 2.
"""


class UserError(Exception):
    """An error that the user can fix."""


class PermanentFailure(UserError):
    """A failure that would happen again; never retried."""


class TransientFailure(Exception):
    """A failure that may pass: a commit conflict, a file that changed while it was read."""
