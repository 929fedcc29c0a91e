"""What an unattended engine promises, the tests that hold it to that, and what proves each can fail.

A control runs the same check on something broken on purpose and must see it fail. ``make test`` is
the short form; ``make soak`` the long one of P3, P4, P6, P9 and P11.
"""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

TESTS = Path(__file__).resolve().parents[1]

TABLE = """
P1  An acknowledged example survives kill -9: 25 kills at random instants, none lost, file whole.
    test     store/test_crash.py::test_p1_killed_25_times_while_recording
    control  store/test_crash.py::test_p1_control_a_store_that_acknowledges_before_the_commit_is_found_out

P2  ... and a power cut: what an ext4 image holds at a random instant (root), and every flush asked for.
    test     walks/test_power_cut.py::test_p2_what_was_acknowledged_survives_a_power_cut
    control  walks/test_power_cut.py::test_p2_control_a_store_that_does_not_wait_for_the_disk_is_found_out
    test     walks/test_power_cut.py::test_p2_the_writer_waits_for_the_disk
    control  walks/test_power_cut.py::test_p2_control_a_writer_that_does_not_is_found_out

P3  Full disk: a clear error, predictions go on, nothing acknowledged is lost.
    test     store/test_crash.py::test_p3_when_the_files_cannot_grow
    test     store/test_crash.py::test_p3_a_full_disk
    control  store/test_crash.py::test_p3_control_a_store_that_acknowledges_a_failed_write_is_found_out
    test     walks/test_full_disk.py::test_p3_predicting_goes_on_when_the_disk_is_full
    control  walks/test_full_disk.py::test_p3_control_a_node_that_needs_the_disk_is_found_out

P4  A device that is lost is told within 3 s, is back within 5 s of its return; no other notices.
    test     walks/test_lost_devices.py::test_p4_a_lost_device_is_said_and_comes_back_and_the_other_never_notices
    control  walks/test_lost_devices.py::test_p4_control_a_source_that_never_says_it_is_found_out
    control  walks/test_lost_devices.py::test_p4_control_a_source_that_holds_up_the_others_is_found_out
    test     walks/test_lost_devices.py::test_p4_back_within_five_seconds_however_long_it_was_away
    control  walks/test_lost_devices.py::test_p4_control_a_patience_of_thirty_seconds_is_found_out
    test     walks/test_vision_faults.py::test_p4_sound_is_undisturbed_and_vision_is_back_within_five_seconds
    control  walks/test_vision_faults.py::test_p4_control_a_landmark_process_that_is_not_replaced_is_found_out
    test     capture/test_camera.py::test_a_camera_that_hangs_or_dies_is_a_device_error
    test     capture/test_portaudio.py::test_a_microphone_that_is_pulled_out_is_noticed_and_comes_back

P5  Bad input never kills and never yields an answer: sound, pictures, landmarks, messages, files.
    test     walks/test_bad_input.py::test_p5_nonsense_says_nothing_and_the_next_sound_is_heard
    control  walks/test_bad_input.py::test_p5_control_a_nan_that_is_let_through_is_found_out
    control  walks/test_bad_input.py::test_p5_control_an_answer_that_is_repeated_is_found_out
    test     walks/test_bad_input.py::test_p5_a_picture_that_is_none_says_nothing_and_the_next_person_is_seen
    control  walks/test_bad_input.py::test_p5_control_a_person_shown_again_is_found_out
    test     server/test_session.py::test_p5_any_text_is_a_command_or_a_refusal
    control  server/test_session.py::test_p5_control_the_parser_everybody_has_is_found_out
    test     backends/test_landmarker.py::test_a_bad_frame_never_reaches_the_graph
    test     server/test_slow_clients.py::test_ten_thousand_frames_of_anything_leave_the_engine_as_it_was
    test     store/test_exchange.py::test_hostile_archives_change_nothing
    test     store/test_history.py::test_a_bomb_as_landmarks_is_refused

P6  Five clients who never read, 60 Hz x 20 kB: p99 < 50 ms, < 32 MB, evicted < 5 s, shutdown < 5 s.
    test     server/test_slow_clients.py::test_p6_five_that_never_read_are_cut_off_and_delay_nobody
    test     server/test_slow_clients.py::test_p6_stopping_does_not_wait_for_those_who_never_read
    control  server/test_slow_clients.py::test_p6_control_a_server_that_waits_for_everybody_is_found_out
    test     server/test_slow_clients.py::test_p6_memory_stays_small_at_any_rate
    control  server/test_slow_clients.py::test_p6_control_a_server_that_keeps_all_for_them_is_found_out

P7  No stranger trains, deletes or sees the camera; Host x Origin x role x message; no token in a log.
    test     server/test_policy.py::test_p7_each_message_for_each_role
    control  server/test_policy.py::test_p7_control_each_hole_in_the_table_is_found
    test     server/test_policy.py::test_p7_each_host
    test     server/test_door.py::test_p7_every_host_on_every_route
    control  server/test_policy.py::test_p7_control_a_careless_comparison_of_hosts_is_found_out
    test     server/test_policy.py::test_p7_each_origin
    test     server/test_admission.py::test_p7_every_origin_at_the_socket_and_what_a_token_can_make_of_it
    control  server/test_policy.py::test_p7_control_a_door_that_lets_a_page_in_is_found_out
    test     server/test_admission.py::test_p7_every_message_of_every_role_reaches_its_handler_only_if_it_may
    control  server/test_admission.py::test_p7_control_a_message_that_gets_through_is_found_out
    test     server/test_admission.py::test_p7_the_log_of_it_all_holds_no_secret
    control  server/test_admission.py::test_p7_control_a_door_that_logs_what_it_is_shown_is_found_out
    test     broadcast/test_sinks.py::test_p7_the_cameras_picture_goes_to_those_on_this_machine_who_asked_and_may
    control  broadcast/test_sinks.py::test_p7_control_a_hub_that_shows_it_to_everybody_is_found_out

P8  Nothing leaves the machine: 75 s where TMSTREAM_REQUIRE is set (8 s elsewhere), and the end.
    test     walks/test_nothing_leaves.py::test_p8_nothing_leaves_while_the_engine_runs_and_when_it_ends
    control  walks/test_nothing_leaves.py::test_p8_control_mediapipe_with_its_guards_off_is_caught
    test     walks/test_kiosk_stays_home.py::test_p8_an_exhibit_attempts_nothing_beyond_loopback
    control  walks/test_kiosk_stays_home.py::test_p8_control_an_exhibit_that_calls_home_is_caught

P9  Clock jumps are harmless: only the monotonic clock decides anything.
    test     walks/test_turned_clock.py::test_p9_only_names_and_dates_come_from_the_wall_clock
    control  walks/test_turned_clock.py::test_p9_control_a_decision_by_the_date_is_found
    test     walks/test_turned_clock.py::test_p9_a_turned_clock_changes_no_answer
    control  walks/test_turned_clock.py::test_p9_control_a_source_that_stamps_with_the_date_is_found_out

P10 A corrupt model or project is reported, never loaded; the last good one runs.
    test     store/test_damage.py::test_p10_a_turned_bit_never_loads_silently
    test     store/test_damage.py::test_p10_a_file_cut_short_never_loads_silently
    test     store/test_damage.py::test_p10_the_newest_good_backup_takes_its_place
    control  store/test_damage.py::test_p10_control_a_store_without_checksums_is_found_out
    test     backends/test_models.py::test_p10_a_flipped_bit_is_reported_and_never_loaded
    control  backends/test_models.py::test_p10_control_a_lookup_without_the_hash_is_found_out

P11 A day without growth: memory, threads, descriptors, processes and tasks over forty restarts.
    test     walks/test_growth.py::test_p11_forty_restarts_of_a_device_leave_nothing_behind
    control  walks/test_growth.py::test_p11_control_what_forty_restarts_leave_is_found
    test     walks/test_growth.py::test_p11_a_flat_day_is_called_flat
    control  walks/test_growth.py::test_p11_control_the_soak_calls_a_growing_day_grown

P12 It predicts within 10 s of its start with no network, no camera or no microphone.
    test     walks/test_start.py::test_p12_it_answers_within_ten_seconds_whatever_is_missing
    control  walks/test_start.py::test_p12_control_a_start_that_waits_is_found_out
"""


class Row(NamedTuple):
    """One line of the table."""

    promise: str
    kind: str  #: test or control
    name: str


def rows_of(table: str) -> list[Row]:
    rows, promise = [], ""
    for line in table.splitlines():
        if found := re.match(r"(P\d+) ", line):
            promise = found[1]
        elif line.strip():
            kind, name = line.split()
            rows.append(Row(promise, kind, name))
    return rows


@cache
def functions_there_are() -> set[str]:
    """Return every test function as the table writes it."""
    return {
        f"{path.relative_to(TESTS).as_posix()}::{node.name}"
        for path in TESTS.rglob("test_*.py")
        for node in ast.parse(path.read_text("utf-8")).body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


def check_table(rows: list[Row], there: set[str]) -> None:
    """Each promise has both, each name is a test, each test that says it is of a promise is here."""
    for number in range(1, 13):
        kinds = [row.kind for row in rows if row.promise == f"P{number}"]
        assert {"test", "control"} == set(kinds), f"P{number} has {kinds}"
    assert not [row.name for row in rows if row.name not in there], "no such test"
    for row in rows:
        assert ("_control_" in row.name) == (row.kind == "control"), row.name
    named = {name for name in there if re.search(r"::test_p\d+_control_", name)}
    assert not named - {row.name for row in rows}, "a control that the table leaves out"
    for row in rows:
        of = re.search(r"::test_(p\d+)_", row.name)
        assert of is None or of[1].upper() == row.promise, row.name


def test_every_promise_has_a_test_and_a_control_that_exist() -> None:
    check_table(rows_of(TABLE), functions_there_are())


@pytest.mark.parametrize("lost", range(len(rows_of(TABLE))))
def test_a_row_that_names_nothing_is_found(lost: int) -> None:
    rows = rows_of(TABLE)
    with pytest.raises(AssertionError, match="no such test"):
        check_table(rows, functions_there_are() - {rows[lost].name})


@pytest.mark.parametrize("number", range(1, 13))
def test_a_promise_without_its_control_is_found(number: int) -> None:
    rows = [r for r in rows_of(TABLE) if (r.promise, r.kind) != (f"P{number}", "control")]
    with pytest.raises(AssertionError, match=f"P{number} has"):
        check_table(rows, functions_there_are())
