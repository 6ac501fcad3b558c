"""`manage.py import_contacts`: each row once, by the rules of distribution, what is wrong told."""

import csv
import io
import json
import sys
from collections import Counter

import pytest
from django.core.management import CommandError, call_command

from contacts import importing
from contacts.invariants import check_all
from contacts.management.commands.import_contacts import Progress
from contacts.models import Contact, DecisionRecord, ImportedRow
from leads.models import Lead
from operators.tests.factories import OperatorFactory
from sources.tests.factories import AssignmentFactory, SourceFactory

pytestmark = pytest.mark.django_db

TITLES = ["id", "lead_external_id", "source_code", "message", "lead_name", "lead_phone"]
STRATEGIES = ["weighted_random", "least_loaded", "smooth_weighted"]


@pytest.fixture
def write(tmp_path):
    """Put rows into a file of CSV, the titles above; its path."""

    def as_csv(*rows, titles=TITLES, name="rows.csv", **options):
        with (tmp_path / name).open("w", newline="") as file:
            csv.writer(file, **options).writerows([titles, *rows])
        return str(tmp_path / name)

    return as_csv


@pytest.fixture
def write_json(tmp_path):
    def as_lines(*rows, name="rows.jsonl"):
        lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
        (tmp_path / name).write_text("\n".join(lines))
        return str(tmp_path / name)

    return as_lines


def run(*arguments, code=0):
    """The counts that the command tells at the end."""
    output = io.StringIO()
    if code:
        with pytest.raises(SystemExit) as ended:
            call_command("import_contacts", *arguments, stdout=output, stderr=io.StringIO())
        assert ended.value.code == code
    else:
        call_command("import_contacts", *arguments, stdout=output, stderr=io.StringIO())
    said = [line.split(maxsplit=1) for line in output.getvalue().splitlines()[1:]]
    return {words: int(count) for count, words in said if count.isdigit()}


def refused_in(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def serve(source, *, limit=10, **operator):
    new = OperatorFactory(max_active_contacts=limit, **operator)
    return AssignmentFactory(source=source, operator=new).operator


def test_rows_become_contacts_of_leads_found_or_made(write):
    anna = serve(SourceFactory(code="tg"), name="Анна")
    path = write(
        [1, "tg:1", "tg", "Сколько стоит?", "Мария", "+7 900 000-00-01"],
        [2, "tg:2", "tg", 'a "quoted"\ttext\\n\nin two lines', "", ""],
        [3, "tg:1", "tg", "", "Other", ""],
    )
    assert run(path) == {"given to operators": 3}
    first, second, third = Contact.objects.order_by("pk")
    assert (first.message, first.operator) == ("Сколько стоит?", anna)
    assert second.message == 'a "quoted"\ttext\\n\nin two lines'
    assert third.lead == first.lead
    assert (first.lead.name, first.lead.phone_e164) == ("Мария", "+79000000001")
    record = DecisionRecord.objects.earliest("pk")
    assert (record.contact, record.kind, record.operator_id) == (first, "create", anna.pk)
    assert (record.actor_type, record.actor_name) == ("command", "import_contacts")


def test_a_second_run_makes_nothing_twice(write):
    SourceFactory(code="tg")
    path = write(*([n, f"tg:{n}", "tg", "", "", ""] for n in range(5)))
    assert run(path) == {"waiting in a queue": 5}
    assert run(path) == {"there already": 5}
    longer = write(*([n, f"tg:{n}", "tg", "", "", ""] for n in range(7)), name="longer.csv")
    assert run(longer) == {"waiting in a queue": 2, "there already": 5}
    assert Contact.objects.count() == 7


def test_an_id_counts_once_in_each_source_and_once_in_a_file(write):
    SourceFactory(code="tg")
    SourceFactory(code="vk")
    path = write(
        [1, "a", "tg", "first", "", ""],
        [1, "b", "vk", "", "", ""],
        [" 1 ", "c", "tg", "again", "", ""],
    )
    assert run(path) == {"waiting in a queue": 2, "there already": 1}
    assert Contact.objects.get(source__code="tg").message == "first"


def test_the_id_is_kept_as_nothing_that_tells_it(write):
    SourceFactory(code="tg")
    run(write(["+79000000001", "a", "tg", "", "", ""]))
    assert "79000000001" not in str(ImportedRow.objects.get().pk)


def test_what_cannot_be_imported_is_told_row_by_row(write, tmp_path):
    SourceFactory(code="tg")
    SourceFactory(code="off", is_active=False)
    path = write(
        [1, "tg:1", "tg", "", "", ""],
        [2, "", "tg", "kept for them", "", ""],
        [3, "tg:3", "nowhere", "", "", ""],
        [4, "tg:4", "off", "=1+1", "", ""],
        ["", "tg:5", "tg", "", "", ""],
        [6, "tg:6", "tg", "", "", "9" * 65],
        [7, "tg:7", "tg"],
        [8, "tg:8", "tg", "", "", ""],
    )
    assert run(path, code=3) == {"waiting in a queue": 2, "refused": 6}
    rows = refused_in(tmp_path / "rows.refused.csv")
    assert [row["refused_line"] for row in rows] == ["3", "4", "5", "6", "7", "8"]
    assert rows[0]["message"] == "kept for them"
    assert rows[0]["refused_reason"].startswith("lead_external_id: ")
    assert rows[1]["refused_reason"].startswith("source_code: ")
    assert rows[2]["message"] == "'=1+1"
    assert "no id" in rows[3]["refused_reason"]
    assert rows[5]["refused_reason"] == "3 cells under 6 titles"


def test_refused_rows_put_right_are_imported_from_their_file(write, tmp_path):
    path = write([1, "tg:1", "tg", "'=1+1", "", ""], [2, "tg:2", "tg", "", "", ""])
    assert run(path, code=3) == {"refused": 2}
    SourceFactory(code="tg")
    assert run(str(tmp_path / "rows.refused.csv")) == {"waiting in a queue": 2}
    assert Contact.objects.earliest("pk").message == "=1+1"
    assert run(path) == {"there already": 2}
    assert not (tmp_path / "rows.refused.csv").exists()


def test_bytes_that_are_no_text_spoil_only_their_row(tmp_path):
    SourceFactory(code="tg")
    path = tmp_path / "rows.csv"
    path.write_bytes(b"id,lead_external_id,source_code\n1,\xff,tg\n2,b,tg\n")
    assert run(str(path), code=3) == {"waiting in a queue": 1, "refused": 1}
    assert b"1,\xff,tg,2," in (tmp_path / "rows.refused.csv").read_bytes()


def test_windows_encoding_and_semicolons_are_read_when_named(write, tmp_path):
    SourceFactory(code="tg")
    path = tmp_path / "rows.csv"
    path.write_bytes("id;lead_external_id;source_code;message\n1;a;tg;Привет\n".encode("cp1251"))
    assert run(str(path), "--encoding", "cp1251") == {"waiting in a queue": 1}
    assert Contact.objects.get().message == "Привет"


def test_refused_rows_keep_the_encoding_they_had(tmp_path):
    path, refused = tmp_path / "rows.csv", tmp_path / "rows.refused.csv"
    path.write_bytes("id;lead_external_id;source_code;message\n1;a;tg;Привет\n".encode("cp1251"))
    assert run(str(path), "--encoding", "cp1251", code=3) == {"refused": 1}
    SourceFactory(code="tg")
    assert run(str(refused), "--encoding", "cp1251") == {"waiting in a queue": 1}
    assert Contact.objects.get().message == "Привет"


def test_a_reason_that_their_encoding_has_not_is_left_out(tmp_path):
    path, refused = tmp_path / "rows.csv", tmp_path / "rows.refused.csv"
    path.write_bytes(b"id,lead_external_id,source_code\n1,caf\xe9,tg\n")
    assert run(str(path), "--encoding", "latin-1", code=3) == {"refused": 1}
    assert b"\n1,caf\xe9,tg,2,source_code: ????" in refused.read_bytes().replace(b"\r", b"")


def test_half_a_character_spoils_only_its_row(write_json, tmp_path):
    SourceFactory(code="tg")
    bad = '{"id": 1, "lead_external_id": "\\ud800", "source_code": "tg"}'
    path = write_json(bad, {"id": 2, "lead_external_id": "b", "source_code": "tg"})
    assert run(path, code=3) == {"waiting in a queue": 1, "refused": 1}
    assert '"lead_external_id": "\\ud800"' in (tmp_path / "rows.refused.jsonl").read_text()


def test_the_file_itself_is_not_written_over(write, tmp_path):
    path = write([1, "a", "tg", "", "", ""])
    (tmp_path / "same.csv").symlink_to(path)
    for rejects in (path, str(tmp_path / "same.csv")):
        with pytest.raises(CommandError, match="--rejects"):
            run(path, "--rejects", rejects)
    assert run(path, code=3) == {"refused": 1}


def test_json_lines_are_read_as_post_contacts_would(write_json, tmp_path):
    source = SourceFactory(code="tg")
    path = write_json(
        {"id": 17, "lead_external_id": "a", "source_id": source.pk, "message": None, "more": [1]},
        {"id": "17", "lead_external_id": "b", "source_code": "tg"},
        "",
        {"id": 18, "lead_external_id": 5, "source_code": "tg"},
        '{"id": 19,',
        "[1]",
        {"id": 1.5, "lead_external_id": "c", "source_code": "tg"},
        {"id": 20, "lead_external_id": "d", "source_code": "tg", "source_id": source.pk},
        "[" * 100_000,
        {"lead_external_id": "e", "source_code": "tg"},
    )
    assert run(path, code=3) == {"waiting in a queue": 2, "there already": 1, "refused": 6}
    lines = (tmp_path / "rows.refused.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    assert [row["refused_line"] for row in rows] == [4, 5, 6, 7, 9, 10]
    assert rows[0]["lead_external_id"] == 5
    assert rows[1]["refused_text"] == '{"id": 19,'


def test_the_standard_input_is_read_in_the_format_named(monkeypatch, tmp_path):
    SourceFactory(code="tg")
    text = "key,lead_external_id,source_code\nx,a,tg\n"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    assert run("-", "--format", "csv", "--id-column", "key") == {"waiting in a queue": 1}


@pytest.mark.parametrize(
    ("titles", "said"),
    [
        (["lead_external_id", "source_code"], "'id'"),
        (["id", "source_code"], "'lead_external_id'"),
        (["id", "lead_external_id"], "'source_code' or 'source_id'"),
        (["id", "ID", "lead_external_id", "source_code"], "Two columns"),
    ],
)
def test_a_file_without_the_columns_is_refused_whole(write, titles, said):
    with pytest.raises(CommandError, match=said):
        run(write(["1"] * len(titles), titles=titles))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-"], "--format"),
        (["rows.txt"], "--format"),
        (["/no/such/file.csv"], "No such file"),
        ([__file__, "--format", "csv"], "no column"),
        ([__file__, "--format", "csv", "--encoding", "morse"], "unknown encoding"),
    ],
)
def test_what_cannot_be_read_is_told_in_words(arguments, said):
    with pytest.raises(CommandError, match=said):
        run(*arguments)


def test_a_line_without_end_is_refused_rather_than_kept_in_memory(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text("x" * 2_000_000)
    with pytest.raises(CommandError, match="longer than"):
        run(str(path))


def test_a_dry_run_changes_nothing(write):
    serve(SourceFactory(code="tg"))
    path = write([1, "a", "tg", "", "", ""], [2, "b", "no", "", "", ""], [1, "a", "tg", "", "", ""])
    counts = {"would become contacts": 1, "there already": 1, "refused": 1}
    assert run(path, "--dry-run", code=3) == counts
    assert not Contact.objects.exists()
    assert not Lead.objects.exists()
    assert not ImportedRow.objects.exists()


@pytest.mark.parametrize("sticky", [False, True])
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_limits_that_fill_up_in_the_middle_are_kept_and_the_books_right(write, strategy, sticky):
    sources = [SourceFactory(code=f"s{n}", strategy=strategy, sticky=sticky) for n in range(2)]
    limits = {}
    for limit in (40, 70, 90):
        operator = serve(sources[0], limit=limit)
        AssignmentFactory(source=sources[1], operator=operator, weight=3)
        limits[operator.pk] = limit
    serve(sources[1], limit=5, is_active=False)
    rows = ([n, f"lead:{n % 37}", f"s{n % 2}", f"text {n}", "Анна", ""] for n in range(400))
    assert run(write(*rows)) == {"given to operators": 200, "waiting in a queue": 200}
    given = Contact.objects.filter(operator__isnull=False)
    assert Counter(given.values_list("operator", flat=True)) == limits
    assert DecisionRecord.objects.count() == 400
    assert [each for each in check_all(records=1000, pause=lambda: None) if each.breaches] == []


def test_who_waits_already_goes_before_the_rows(write):
    source = SourceFactory(code="tg")
    run(write([1, "old", "tg", "", "", ""]))
    serve(source, limit=1)
    run(write([2, "new", "tg", "", "", ""]))
    assert Contact.objects.get(operator__isnull=False).lead.external_id == "old"


def test_rows_of_a_lead_that_is_under_way_are_held_back_in_their_order():
    def row(number, lead):
        return importing.Row(number, str(number), {"lead_external_id": lead}, {})

    batches = importing.Batches([row(1, "a"), row(2, "b"), row(3, "a"), row(4, "c"), row(5, "a")])
    assert [each.line for each in batches.take(3, {"a"})] == [2]
    assert [each.line for each in batches.take(3, {"a"})] == [4]
    assert [each.line for each in batches.take(3, {"a"})] == []
    assert [each.line for each in batches.take(9, set())] == [1, 3, 5]


def test_the_progress_is_a_bar_on_a_terminal_and_lines_elsewhere():
    class Stream:
        def __init__(self, terminal):
            self.terminal, self.said = terminal, ""

        def isatty(self):
            return self.terminal

        def write(self, text, ending="\n"):
            self.said += text + ending

        def flush(self):
            pass

    for terminal in (True, False):
        stream = Stream(terminal)
        progress = Progress(stream, 1000, lambda: 250)
        progress.began = progress.shown = -1000.0
        progress.show(5000)
        assert "5000 rows" in stream.said
        assert " 25%" in stream.said
        assert "left" in stream.said
        assert ("\r" in stream.said) == terminal
