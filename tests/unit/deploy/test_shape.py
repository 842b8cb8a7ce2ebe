"""What `make check` says of the shape of the code."""

from deploy.checks.shape import Source, circle, findings, imports, long_functions


def test_a_function_of_41_lines_is_found_and_one_of_40_is_not():
    def of(lines: int) -> str:
        return "def f():\n" + "    x = 1\n" * (lines - 1)

    assert list(long_functions(of(40))) == []
    assert list(long_functions(of(41))) == [(1, "f", 41)]


def test_a_file_of_251_lines_is_found_unless_it_is_a_test():
    text = "x = 1\n" * 251

    found = list(findings([Source("shared/long.py", text), Source("tests/long.py", text)]))

    assert found == ["shared/long.py has 251 lines, over 250"]


def test_modules_that_import_each_other_are_found_wherever_they_do_it():
    files = [
        Source("shared/a.py", "from shared.b import thing\n"),
        Source("shared/b.py", "def f():\n    import shared.c\n"),
        Source("shared/c.py", "from shared import a\n"),
        Source("shared/d.py", "import json\n"),
    ]

    (found,) = findings(files)

    assert found.startswith("import cycle: shared.")


def test_what_is_imported_is_the_module_that_is_named_or_has_the_name():
    file = Source("shared/d.py", "import shared.a\nfrom shared import b\nfrom shared.c import x\n")

    assert imports(file, ["shared", "shared.a", "shared.b", "shared.c", "shared.d"]) == {
        "shared.a",
        "shared.b",
        "shared.c",
    }
    assert circle({"shared.d": {"shared.a"}, "shared.a": set()}) == []
