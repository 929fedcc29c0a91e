"""Take the examples of one project into another."""

from __future__ import annotations

from ..store.project import NewExample, Project


def merge(giver: Project, taker: Project) -> tuple[int, int]:
    """Add every example of ``giver`` with its clip; returns how many, and how many were known.

    Ids are kept, so importing twice adds nothing. A project that knows no pipeline yet takes over
    the giver's settings.

    Raises:
        InputError: the two keep vectors of different size in one space.
    """
    known = {one.id for one in taker.examples()}
    fresh = [one for one in giver.examples() if one.id not in known]
    taker.add(
        [
            NewExample(
                label=one.label, space=one.space, vector=one.vector, take=one.take,
                person=one.person, groups=one.groups, source=one.source, t_us=one.t_us,
                end_us=one.end_us, phase=one.phase, clip=giver.clip(one.id),
                augmented_from=one.augmented_from, negative=one.negative, id=one.id,
                created_us=one.created_us,
            )
            for one in fresh
        ]
    )  # fmt: skip
    if taker.setting("pipeline") is None:
        keys = ["pipeline", *(f"space:{name}" for name in giver.spaces())]
        settings = {key: giver.setting(key) for key in keys}
        taker.set_settings({key: value for key, value in settings.items() if value is not None})
    return len(fresh), len(known)
