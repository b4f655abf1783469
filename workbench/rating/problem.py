"""What can be wrong with an answer, each with a sentence for who gave it."""


class RatingError(ValueError):
    """An answer, or a sitting, that can't be taken as given."""


class AlreadyAnswered(RatingError):
    """The item isn't open: answered before (in another tab), not of this sitting, or its pictures are gone."""


class NoSuchSitting(RatingError):
    """No sitting has this token."""
