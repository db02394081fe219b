"""Sessions open whole or not at all, and end on time; a store that fails lets nobody in."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from ssogate.directory import change_user, owns
from ssogate.directory.activity import By
from ssogate.errors import (
    AccountInactive,
    AccountNotFound,
    DatabaseError,
    DuplicateUser,
    GateError,
    LinkExpired,
    NotForAdministrators,
    SessionsUnavailable,
    StepExpired,
    StoreFailure,
    WrongPassword,
)
from ssogate.http.cookies import session_key
from ssogate.model import (
    STEP,
    Administrator,
    Admitted,
    Enrolment,
    Listed,
    Participant,
    Proof,
    Session,
    SignIn,
    Step,
    User,
)
from ssogate.sessions import Keeper, SessionSettings
from ssogate.sessions.keeper import AT_A_TIME, TOUCH_SECONDS, Admit
from ssogate.storage import SQLiteStore
from tests.servers import held
from tests.sessions.making import CRM, IDLE, LIFETIME, make_keeper, opened, sign_in, tokens
from tests.storage.granting import client
from tests.storage.making import NOW, Hands, traced


@pytest.fixture
def clock() -> Hands:
    return Hands()


@pytest.fixture
def keeper(tmp_path: Path, clock: Hands) -> Keeper:
    return make_keeper(tmp_path, clock)


@pytest.fixture
def elsewhere(tmp_path: Path, clock: Hands) -> Keeper:
    """The same sessions as another process sees them."""
    return replace(make_keeper(tmp_path, clock), new_token=lambda: "e" * 43)


class Broken:
    """A store of which one part fails."""

    def __init__(self, store: Any, *failing: str) -> None:
        self.store, self.failing = store, failing

    def __getattr__(self, name: str) -> Any:
        if name in self.failing:
            return self._fail
        found = getattr(self.store, name)
        nested = name in ("sessions", "one_time", "users")
        return Broken(found, *self.failing) if nested else found

    def _fail(self, *args: object, **options: object) -> Any:
        raise StoreFailure("disk I/O error")


def broken(keeper: Keeper, *failing: str) -> Keeper:
    settings, clock = keeper.settings, keeper.clock
    return Keeper(Broken(keeper.store, *failing), keeper.admit, clock, keeper.new_token, settings)


# --- Opening -------------------------------------------------------------------------------


def test_an_opened_session_is_found_by_its_token(keeper: Keeper, elsewhere: Keeper) -> None:
    session = opened(keeper, sign_in("Joe", proof="link:1"), None)

    assert session.identity.username == "Joe"
    assert session.record.method == "crm"
    assert session.record.proof == "link:1"
    assert (session.record.opened_at, session.record.expires_at) == (NOW, NOW + LIFETIME)
    assert keeper.find(session.token) == session
    assert elsewhere.find(session.token) == session
    assert keeper.find("x" * 43) is None


def test_the_token_is_stored_nowhere(keeper: Keeper, tmp_path: Path) -> None:
    session = opened(keeper, sign_in(), None)

    assert session.record.key == session_key(session.token)
    assert session.token not in repr(session)
    assert session.token.encode() not in held(tmp_path)


def test_every_sign_in_gives_a_new_id_and_ends_the_old_session(
    keeper: Keeper, elsewhere: Keeper
) -> None:
    first = opened(keeper, sign_in("Joe"), None)
    second = opened(keeper, sign_in("Joe"), first)
    third = opened(keeper, sign_in("Ann"), second)

    assert len({first.token, second.token, third.token}) == 3
    for anywhere in (keeper, elsewhere):
        assert anywhere.find(first.token) is None
        assert anywhere.find(second.token) is None
        found = anywhere.find(third.token)
        assert found is not None
        assert found.identity.canonical == "ann", "nothing of the old session is merged"


def test_sessions_in_two_browsers_live_side_by_side(keeper: Keeper) -> None:
    first, second = (opened(keeper, sign_in("Joe"), None) for _ in range(2))

    assert keeper.find(first.token)
    assert keeper.find(second.token)


def test_a_proof_opens_one_session(keeper: Keeper, elsewhere: Keeper) -> None:
    first = opened(keeper, sign_in("Joe", proof="link:1"), None)

    for anywhere in (keeper, elsewhere):
        with pytest.raises(LinkExpired):
            anywhere.open(sign_in("Joe", proof="link:1"), first)

    assert keeper.find(first.token) == first, "the session that was there goes on"
    assert len(keeper.store.sessions.listed()) == 1


def refuse(error: type[Exception]) -> Admit:
    def admit(sign_in: SignIn, *, client: str, now: int) -> Admitted:
        raise error

    return admit


@pytest.mark.parametrize(
    "error", [AccountNotFound, AccountInactive, DuplicateUser, ValueError, KeyboardInterrupt]
)
def test_a_sign_in_that_is_not_admitted_changes_nothing(
    keeper: Keeper, error: type[Exception]
) -> None:
    current = opened(keeper, sign_in("Ann"), None)

    with pytest.raises(error):
        replace(keeper, admit=refuse(error)).open(sign_in("Joe", proof="link:1"), current)

    assert keeper.find(current.token) == current
    assert opened(keeper, sign_in("Joe", proof="link:1"), None), "the link is not used up"


def test_what_was_verified_is_looked_at_once_more_where_nobody_can_change_it(
    keeper: Keeper,
) -> None:
    """A password that is changed, or a token that is spent, between its check and the session."""
    current = opened(keeper, sign_in("Ann"), None)

    def changed() -> None:
        with keeper.store.transaction():  # part of the one that would open the session
            raise WrongPassword

    with pytest.raises(WrongPassword):
        keeper.open(replace(sign_in("Joe", proof="link:1"), still=changed), current)

    assert keeper.find(current.token) == current
    assert keeper.store.users.get("joe") is None
    assert keeper.open(sign_in("Joe", proof="link:1"), None), "the link is not used up"


@pytest.mark.parametrize(
    ("dies", "ends_another", "waits"),
    [
        pytest.param(True, False, False, id="a proof that no power cut brings back"),
        pytest.param(True, True, True, id="a session that must not come back"),
        pytest.param(False, False, True, id="a proof that could come back"),
    ],
)
def test_a_sign_in_waits_for_the_disk_unless_a_power_cut_does_no_harm(
    keeper: Keeper, dies: bool, ends_another: bool, waits: bool
) -> None:
    current = opened(keeper, sign_in("Ann"), None) if ends_another else None
    asked = replace(sign_in("Joe"), proof=Proof("token:1", NOW + 60, dies_with_boot=dies))

    assert isinstance(keeper.store, SQLiteStore)
    with traced(keeper.store) as statements:
        opened(keeper, asked, current)

    assert ("PRAGMA synchronous = NORMAL" not in statements) == waits


@pytest.mark.parametrize(
    "failing", ["spend", "add", "put", "delete", "purge", "transaction"], ids="{} fails".format
)
def test_a_store_that_fails_in_a_sign_in_changes_nothing(keeper: Keeper, failing: str) -> None:
    current = opened(keeper, sign_in("Ann"), None)
    failed = broken(keeper, failing)
    if failing == "add":
        failed = replace(failed, admit=refuse(StoreFailure))

    with pytest.raises(DatabaseError):
        failed.open(sign_in("Joe", proof="link:1"), current)

    assert keeper.find(current.token) == current
    assert [user.identity.canonical for user in keeper.store.users.listed()] == ["ann"]
    assert opened(keeper, sign_in("Joe", proof="link:1"), None), "the link is not used up"


def test_a_token_that_is_taken_opens_nothing(keeper: Keeper) -> None:
    """Two equal draws of 256 bits mean that randomness is broken; then nobody gets in by it."""
    same = replace(keeper, new_token=lambda: "t" * 43)
    first = same.open(sign_in("Ann"), None)

    with pytest.raises(DatabaseError):
        same.open(sign_in("Joe"), None)

    assert same.find("t" * 43) == first


def test_a_sign_in_drops_some_sessions_that_ended(keeper: Keeper, clock: Hands) -> None:
    opened(keeper, sign_in("Ann"), None)
    clock.now = NOW + IDLE
    opened(keeper, sign_in("Joe"), None)

    assert [who.canonical for _, who in keeper.store.sessions.listed()] == ["joe"]


# --- Time ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("passed", "alive"),
    [
        pytest.param(0, True, id="at once"),
        pytest.param(IDLE - 1, True, id="a second before idle"),
        pytest.param(IDLE, False, id="idle"),
        pytest.param(IDLE + 1, False, id="a second after idle"),
        pytest.param(10**9, False, id="30 years on"),
        pytest.param(-60, True, id="clock set back a minute"),
        pytest.param(-(10**6), True, id="clock set back far"),
    ],
)
def test_an_unused_session_ends_at_the_idle_limit(
    keeper: Keeper, elsewhere: Keeper, clock: Hands, passed: int, alive: bool
) -> None:
    session = opened(keeper, sign_in(), None)
    clock.now = NOW + passed

    assert (keeper.find(session.token) is not None) is alive
    assert (elsewhere.find(session.token) is not None) is alive


@pytest.mark.parametrize(
    ("at", "alive"),
    [
        pytest.param(LIFETIME - 1, True, id="a second before"),
        pytest.param(LIFETIME, False, id="at the end"),
        pytest.param(LIFETIME + 1, False, id="a second after"),
    ],
)
def test_a_session_in_use_ends_at_its_lifetime(
    keeper: Keeper, clock: Hands, at: int, alive: bool
) -> None:
    session = opened(keeper, sign_in(), None)
    for passed in range(0, LIFETIME - 1, IDLE // 2):
        clock.now = NOW + passed
        assert keeper.find(session.token)
    clock.now = NOW + at

    assert (keeper.find(session.token) is not None) is alive


@pytest.mark.parametrize("start", [2**31 - 100, 2**32 - 100, 2**33], ids=["2038", "2106", "2242"])
def test_no_date_wraps(keeper: Keeper, clock: Hands, start: int) -> None:
    clock.now = start
    session = opened(keeper, sign_in(), None)

    clock.now = start + IDLE - 1
    assert keeper.find(session.token)
    clock.now = start + LIFETIME
    assert keeper.find(session.token) is None


@pytest.mark.parametrize(
    ("passed", "seen_at"),
    [
        pytest.param(TOUCH_SECONDS - 1, NOW, id="not yet"),
        pytest.param(TOUCH_SECONDS, NOW + TOUCH_SECONDS, id="once a minute"),
        pytest.param(TOUCH_SECONDS + 30, NOW + TOUCH_SECONDS + 30, id="later"),
        pytest.param(-500, NOW, id="clock set back"),
    ],
)
def test_a_use_is_written_at_most_once_a_minute(
    keeper: Keeper, clock: Hands, passed: int, seen_at: int
) -> None:
    session = opened(keeper, sign_in(), None)
    clock.now = NOW + passed

    for _ in range(3):
        keeper.find(session.token)

    ((record, _),) = keeper.store.sessions.listed()
    assert record.seen_at == seen_at


def test_a_use_that_cannot_be_written_is_a_use_all_the_same(keeper: Keeper, clock: Hands) -> None:
    session = opened(keeper, sign_in(), None)
    clock.now = NOW + TOUCH_SECONDS

    assert broken(keeper, "touch").find(session.token) is not None


def seen(keeper: Keeper) -> set[int]:
    return {record.seen_at for record, _ in keeper.store.sessions.listed()}


def test_a_use_that_is_noted_is_written_later_as_of_when_it_was(
    keeper: Keeper, clock: Hands
) -> None:
    session = opened(keeper, sign_in(), None)
    clock.now = used_at = NOW + TOUCH_SECONDS
    keeper.use(session)
    assert seen(keeper) == {NOW}

    clock.now += 7
    keeper.write_down()

    assert seen(keeper) == {used_at}
    assert not keeper.uses
    found = keeper.glance(session.token)
    assert found
    assert found.record.seen_at == used_at, "nor is it remembered otherwise"


def test_nothing_is_noted_before_a_minute_is_over(keeper: Keeper, clock: Hands) -> None:
    session = opened(keeper, sign_in(), None)
    for clock.now in (NOW, NOW + TOUCH_SECONDS - 1, NOW - 500):
        keeper.use(session)

    assert not keeper.uses


def test_crowds_of_uses_are_written(keeper: Keeper, clock: Hands) -> None:
    clock.now = NOW - TOUCH_SECONDS
    crowd = [opened(keeper, sign_in(f"joe{number}"), None) for number in range(AT_A_TIME + 1)]
    clock.now = NOW
    for session in crowd:
        keeper.use(session)

    keeper.write_down()

    assert seen(keeper) == {NOW}


class TakenMeanwhile(dict[str, tuple[str, int]]):
    """There was something, and then another thread has taken it."""

    def __init__(self) -> None:
        self.looks = iter((True, True, False))

    def __bool__(self) -> bool:
        return next(self.looks)


def test_two_may_write_at_once(keeper: Keeper) -> None:
    """As when a worker ends while one of its threads is at it."""
    replace(keeper, uses=TakenMeanwhile()).write_down()


def test_a_note_brings_no_ended_session_back(keeper: Keeper, clock: Hands) -> None:
    session = opened(keeper, sign_in(), None)
    clock.now = NOW + TOUCH_SECONDS
    keeper.use(session)
    keeper.close(session)

    keeper.write_down()

    assert keeper.find(session.token) is None
    assert seen(keeper) == set()


@pytest.mark.parametrize("failing", ["touch", "transaction"])
def test_notes_that_cannot_be_written_are_made_anew(
    keeper: Keeper, clock: Hands, failing: str
) -> None:
    session = opened(keeper, sign_in(), None)
    clock.now = NOW + TOUCH_SECONDS
    other = broken(keeper, failing)
    other.use(session)

    other.write_down()

    assert not other.uses
    assert seen(keeper) == {NOW}
    assert other.glance(session.token)
    other.use(session)
    assert other.uses


@pytest.mark.parametrize(
    ("idle", "lifetime"),
    [
        pytest.param(119, 600, id="idle shorter than two touches"),
        pytest.param(601, 600, id="idle beyond the lifetime"),
        pytest.param(600, 367 * 86400, id="more than a year"),
        pytest.param(0, 0, id="nothing"),
    ],
)
def test_limits_that_make_no_sense_are_refused(idle: int, lifetime: int) -> None:
    with pytest.raises(ValidationError, match="2m <= idle <= lifetime <= 366d"):
        SessionSettings(idle=idle, lifetime=lifetime)


def test_limits_are_safe_by_default() -> None:
    assert SessionSettings() == SessionSettings(idle=3600, lifetime=43200)


# --- Closing, and what changes under a session ----------------------------------------------


def test_a_closed_session_is_gone_everywhere(keeper: Keeper, elsewhere: Keeper) -> None:
    session, other = (opened(keeper, sign_in("Joe"), None) for _ in range(2))
    assert elsewhere.find(session.token)

    keeper.close(session)
    keeper.close(session)

    assert keeper.find(session.token) is None
    assert elsewhere.find(session.token) is None
    assert keeper.find(other.token)


def test_a_session_that_could_not_be_closed_is_told(keeper: Keeper) -> None:
    session = opened(keeper, sign_in(), None)

    with pytest.raises(DatabaseError):
        broken(keeper, "delete").close(session)


def changed(keeper: Keeper, **what: Any) -> None:
    (user,) = keeper.store.users.listed()
    change_user(keeper.store, user.identity.canonical, by=By("cli:root"), now=NOW, **what)


def test_a_lost_group_counts_at_the_next_request(keeper: Keeper, elsewhere: Keeper) -> None:
    """D6."""
    session = opened(keeper, sign_in(), None)
    assert session.identity.groups == {"members"}
    assert elsewhere.find(session.token)

    changed(keeper, groups=[])

    for anywhere in (keeper, elsewhere):
        found = anywhere.find(session.token)
        assert found is not None
        assert found.identity.groups == frozenset()


def test_a_deactivated_user_is_out_at_the_next_request(keeper: Keeper, elsewhere: Keeper) -> None:
    """D3; and activating the user again revives no session."""
    session = opened(keeper, sign_in(), None)
    assert elsewhere.find(session.token)

    changed(keeper, active=False)
    assert keeper.find(session.token) is None
    assert elsewhere.find(session.token) is None

    changed(keeper, active=True)
    assert keeper.find(session.token) is None
    assert elsewhere.find(session.token) is None


def test_a_deleted_user_is_out_at_the_next_request(keeper: Keeper, elsewhere: Keeper) -> None:
    session = opened(keeper, sign_in(), None)
    assert elsewhere.find(session.token)

    assert keeper.store.users.delete(session.identity.subject)

    assert keeper.find(session.token) is None
    assert elsewhere.find(session.token) is None


def test_all_of_a_users_sessions_end_and_nobody_elses(keeper: Keeper) -> None:
    mine = [opened(keeper, sign_in("Joe"), None) for _ in range(3)]
    other = opened(keeper, sign_in("Ann"), None)

    def may(user: User) -> bool:
        return owns(CRM, user)

    assert keeper.close_all("joe", may) == 3
    assert [keeper.find(session.token) for session in mine] == [None] * 3
    assert keeper.find(other.token)
    assert keeper.close_all("joe", may) == 0
    assert keeper.close_all("nobody", may) == 0


def test_who_does_not_own_a_user_ends_nothing(keeper: Keeper) -> None:
    session = opened(keeper, sign_in("Joe"), None)

    assert keeper.close_all("joe", lambda user: owns(Enrolment("stranger"), user)) == 0
    assert keeper.find(session.token)


@pytest.mark.parametrize("failing", ["get", "delete_subject"])
def test_sessions_that_could_not_be_ended_are_told(keeper: Keeper, failing: str) -> None:
    opened(keeper, sign_in("Joe"), None)

    with pytest.raises(DatabaseError):
        broken(keeper, failing).close_all("joe", lambda user: True)


# --- The store fails ---------------------------------------------------------------------------


def test_a_store_that_does_not_answer_makes_nobody_anonymous(keeper: Keeper) -> None:
    session = opened(keeper, sign_in(), None)

    for token in (session.token, "x" * 43):
        with pytest.raises(SessionsUnavailable):
            broken(keeper, "get").find(token)


def test_a_store_that_vanished_refuses(tmp_path: Path, keeper: Keeper, clock: Hands) -> None:
    session = opened(keeper, sign_in(), None)
    assert isinstance(keeper.store, SQLiteStore)
    keeper.store.close()
    (tmp_path / "gate.db").unlink()

    with pytest.raises(SessionsUnavailable):
        keeper.find(session.token)
    with pytest.raises(DatabaseError):
        opened(keeper, sign_in(), None)


def test_the_tokens_of_these_tests_have_the_form_of_real_ones() -> None:
    draw = tokens()

    assert len({draw() for _ in range(9)}) == 9
    assert issubclass(DatabaseError, GateError)


# --- The second factor ------------------------------------------------------------------------


def owing(keeper: Keeper) -> Step:
    """A user with a second factor, who has given the first one."""
    session = opened(keeper, sign_in("Joe"), None)
    keeper.store.secrets.set_second_factor(session.identity.subject, "sealed", [], NOW)
    keeper.close(session)
    step = keeper.open(sign_in("Joe", proof="link:1", return_to="/x?y"), None)
    assert isinstance(step, Step)
    return step


def second(step: Step, name: str = "Joe") -> SignIn:
    return replace(sign_in(name), complete=True, step=step.token)


def test_who_owes_a_second_factor_has_no_session_yet(keeper: Keeper) -> None:
    step = owing(keeper)

    assert keeper.store.sessions.listed() == []
    assert keeper.find(step.token) is None
    with pytest.raises(LinkExpired):
        keeper.open(sign_in("Joe", proof="link:1"), None)
    ticket = keeper.store.tickets.get(session_key(step.token), STEP)
    assert ticket
    assert json.loads(ticket.data)["return_to"] == "/x?y"


def test_the_session_that_was_there_stays_until_the_second_factor(keeper: Keeper) -> None:
    current = opened(keeper, sign_in("Ann"), None)
    step = owing(keeper)
    assert isinstance(keeper.open(sign_in("Joe"), current), Step)

    assert keeper.find(current.token)
    assert keeper.open(second(step), current)
    assert keeper.find(current.token) is None


def test_a_step_is_finished_once(keeper: Keeper) -> None:
    step = owing(keeper)

    assert isinstance(keeper.open(second(step), None), Session)
    with pytest.raises(StepExpired):
        keeper.open(second(step), None)
    assert len(keeper.store.sessions.listed()) == 1


def test_a_step_ends_after_its_time(keeper: Keeper, clock: Hands) -> None:
    step = owing(keeper)
    clock.now = step.until

    with pytest.raises(StepExpired):
        keeper.open(second(step), None)


def test_a_step_is_no_one_elses(keeper: Keeper) -> None:
    step = owing(keeper)

    with pytest.raises(StepExpired):
        keeper.open(second(step, "Ann"), None)
    assert keeper.open(second(step), None), "it is not used up"


def test_a_step_ends_with_the_users_sessions(keeper: Keeper) -> None:
    step = owing(keeper)
    user = keeper.store.users.get("joe")
    assert user
    keeper.store.sessions.delete_subject(user.identity.subject)

    with pytest.raises(StepExpired):
        keeper.open(second(step), None)


def test_a_way_in_as_good_as_two_factors_owes_none(keeper: Keeper) -> None:
    owing(keeper)

    assert isinstance(keeper.open(replace(sign_in("Joe"), complete=True), None), Session)


def test_a_browser_is_remembered_only_with_a_session(keeper: Keeper) -> None:
    session = opened(keeper, replace(sign_in("Ann"), device="a" * 43), None)
    owing(keeper)
    keeper.open(replace(sign_in("Joe"), device="j" * 43), None)

    knows = keeper.store.secrets.knows_device
    joe = keeper.store.users.get("joe")
    assert joe
    assert knows(session.identity.subject, session_key("a" * 43))
    assert not knows(joe.identity.subject, session_key("j" * 43))


def test_an_administrator_comes_in_by_password_alone(keeper: Keeper) -> None:
    session = opened(keeper, sign_in("Joe"), None)
    keeper.store.administrators.put(Administrator(session.identity.subject, frozenset(), NOW))
    by_password = Enrolment("", update=False, shared=True, administrators=True)

    with pytest.raises(NotForAdministrators):
        keeper.open(sign_in("Joe"), None)
    assert opened(keeper, sign_in("Joe", enrolment=by_password), None)


def test_chosen_sessions_of_one_user_are_ended(keeper: Keeper) -> None:
    mine, other = (opened(keeper, sign_in("Joe"), None) for _ in range(2))
    stranger = opened(keeper, sign_in("Ann"), None)
    keys = frozenset({mine.record.key, stranger.record.key})

    assert keeper.close_listed(Listed(mine.identity.subject, keys)) == 1
    assert keeper.find(mine.token) is None
    assert keeper.find(other.token)
    assert keeper.find(stranger.token), "another user's key does not count"


def test_the_oldest_sessions_of_one_user_end_when_there_are_too_many(
    keeper: Keeper, clock: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ssogate.sessions.keeper.MOST_SESSIONS", 3)
    other = opened(keeper, sign_in("Ann"), None)
    mine = []
    for _ in range(5):
        mine.append(opened(keeper, sign_in("Joe"), None))
        clock.now += 1

    assert [keeper.find(one.token) is not None for one in mine] == [False, False, True, True, True]
    assert keeper.find(other.token)


@pytest.mark.parametrize("step", [0, -1], ids=["in one second", "while the clock goes back"])
def test_the_session_that_was_just_opened_is_never_one_too_many(
    keeper: Keeper, clock: Hands, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    monkeypatch.setattr("ssogate.sessions.keeper.MOST_SESSIONS", 3)

    for _ in range(20):
        mine = opened(keeper, sign_in("Joe"), None)
        clock.now += step
        assert keeper.find(mine.token)

    assert len(keeper.store.sessions.listed(mine.identity.subject)) == 3


@pytest.mark.parametrize(
    ("who", "told"),
    [pytest.param("Ann", [], id="the same"), pytest.param("Joe", ["WIKI.1"], id="somebody else")],
)
def test_who_signs_in_once_more_stays_signed_in_to_applications(
    keeper: Keeper, who: str, told: list[str]
) -> None:
    store, first = keeper.store, opened(keeper, sign_in("Ann"), None)
    store.clients.add(replace(client(), backchannel_logout_uri="https://wiki.example/logout"))
    subject = first.identity.subject
    store.participants.put(Participant(first.record.key, "WIKI.1", subject, "sid"))
    opened(keeper, sign_in(who), first)

    assert keeper.find(first.token) is None
    due = store.logouts.claim(now=NOW, until=NOW + 60, most=9, busy=())
    assert [logout.client for logout in due] == told
