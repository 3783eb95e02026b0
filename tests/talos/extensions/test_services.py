"""A service file is read as Talos reads it, and every rule it breaks is named."""

import pytest

from talos.extensions.faults import MAX_FAULTS
from talos.extensions.fields import MAX_ITEMS
from talos.extensions.services import (
    MAX_SERVICE_BYTES,
    Container,
    Dependency,
    Mount,
    Restart,
    Security,
    Service,
    parse_service,
)

FILE = "/usr/local/etc/containers/hello.yaml"

SMALLEST = b"name: hello\ncontainer:\n  entrypoint: hello\nrestart: never\n"

WHOLE = b"""\
name: hello-2_x
container:
  entrypoint: bin/hello
  environment: [LEVEL=1, 2]
  environmentFile: /var/hello.env
  args:
    - --port
    - 80
  mounts:
    - source: /var/hello
      destination: /data
      type: bind
      options: [rbind, ro]
      newer: unknown
  security:
    writeableSysfs: true
    maskedPaths: [/proc/kcore]
    readonlyPaths: []
    writeableRootfs: on
    rootfsPropagation: shared
depends:
  - service: cri
  - path: /run/machined.sock
  - network: [addresses, etcFiles]
  - time: true
  - configuration: yes
restart: UntilSuccess
logToConsole: true
newer: unknown
"""


def test_all_fields_are_read() -> None:
    service, faults = parse_service(WHOLE, file=FILE)

    assert not faults
    assert service == Service(
        name="hello-2_x",
        container=Container(
            entrypoint="bin/hello",
            environment=("LEVEL=1", "2"),
            environment_file="/var/hello.env",
            args=("--port", "80"),
            mounts=(Mount("/data", "bind", "/var/hello", ("rbind", "ro")),),
            security=Security(
                writeable_sysfs=True,
                masked_paths=("/proc/kcore",),
                writeable_rootfs=True,
                rootfs_propagation="shared",
            ),
        ),
        depends=(
            Dependency(service="cri"),
            Dependency(path="/run/machined.sock"),
            Dependency(network=("addresses", "etcfiles")),
            Dependency(time=True),
            Dependency(configuration=True),
        ),
        restart=Restart.UNTIL_SUCCESS,
        log_to_console=True,
    )


def test_a_name_a_program_and_a_restart_are_enough() -> None:
    service, faults = parse_service(SMALLEST, file=FILE)

    assert not faults
    assert service == Service("hello", Container("hello"), Restart.NEVER)


def test_an_absent_value_is_an_empty_one() -> None:
    service, faults = parse_service(SMALLEST + b"depends:\nlogToConsole: null\n", file=FILE)

    assert not faults
    assert service == Service("hello", Container("hello"), Restart.NEVER)


def depending(on: bytes) -> bytes:
    return SMALLEST + b"depends:\n" + on


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"", ["service-malformed: line 1: this is not one mapping"]),
        (b"- a\n", ["service-malformed: line 1: this is not one mapping"]),
        (SMALLEST + b"---\nname: two\n", ["service-malformed: line 1: this is not one mapping"]),
        (b"name: [", ["service-malformed: line 1: not YAML: did not find expected node content"]),
        (b"name: \xff", ["service-malformed: line 1: the text is not UTF-8"]),
        (b'name: "\\ud800"', ["service-malformed: line 1: not YAML: found invalid Unicode character escape code"]),
        (b"#" * (MAX_SERVICE_BYTES + 1),
         ["service-malformed: line 1: the text is 65537 bytes long, 65536 are allowed"]),
        (SMALLEST + b"name: two\n",
         ['service-malformed: line 5: name: the key "name" is given twice, first on line 1']),
        (b"a: b\n", ["service-name: line 1: name: missing",
                     "service-entrypoint: line 1: container.entrypoint: missing or empty",
                     "service-restart: line 1: restart: missing"]),
        (SMALLEST.replace(b"name: hello", b"name: FOO"),
         ["service-name: line 1: name: 'FOO' is no name of a service"]),
        (SMALLEST.replace(b"name: hello", b'name: "foo\\n"'),
         ["service-name: line 1: name: 'foo\\n' is no name of a service"]),
        (SMALLEST.replace(b"name: hello", b"name: " + b"x" * 129),
         [f"service-name: line 1: name: '{'x' * 129}' is no name of a service"]),
        (SMALLEST.replace(b"never", b"sometimes"),
         ["service-restart: line 4: restart: 'sometimes' is none of always, never, untilSuccess"]),
        (SMALLEST.replace(b": hello\nr", b": ''\nr"),
         ["service-entrypoint: line 3: container.entrypoint: missing or empty"]),
        (SMALLEST.replace(b"\n  entrypoint: hello", b" 5"),
         ["service-malformed: line 2: container: this is a single value, not a mapping",
          "service-entrypoint: line 1: container.entrypoint: missing or empty"]),
        (SMALLEST.replace(b"\nr", b"\n  args: --all\nr"),
         ["service-malformed: line 4: container.args: this is a single value, not a list"]),
        (SMALLEST.replace(b"\nr", b"\n  args: [a, {}]\nr"),
         ["service-malformed: line 4: container.args[1]: this is a mapping"]),
        (SMALLEST.replace(b"\nr", b"\n  args: [" + b"a," * (MAX_ITEMS + 1) + b"]\nr"),
         ["service-malformed: line 4: container.args: 1001 items, 1000 are allowed"]),
        (SMALLEST.replace(b"\nr", b"\n  mounts: [/data]\nr"),
         ["service-malformed: line 4: container.mounts[0]: this is a single value, not a mapping"]),
        (SMALLEST.replace(b"\nr", b"\n  security: {writeableSysfs: 1, writeableRootfs: []}\nr"),
         ["service-malformed: line 4: container.security.writeableSysfs: '1' is no boolean",
          "service-malformed: line 4: container.security.writeableRootfs: this is a list"]),
        (depending(b"  - {}\n"), ["service-dependency: line 6: depends[0]: nothing to wait for"]),
        (depending(b"  -\n"), ["service-dependency: line 6: depends[0]: nothing to wait for"]),
        (depending(b"  - time: false\n"), ["service-dependency: line 6: depends[0]: nothing to wait for"]),
        (depending(b"  - path: ./file\n"),
         ["service-dependency: line 6: depends[0].path: './file' is not absolute"]),
        (depending(b"  - network: [up]\n"),
         ["service-dependency: line 6: depends[0].network: 'up' is no state of the network"]),
        (depending(b"  - network: [addresses]\n    path: /foo\n"),
         ["service-dependency: line 6: depends[0]: more than one thing to wait for"]),
        (depending(b"  - network: addresses\n"),
         ["service-malformed: line 6: depends[0].network: this is a single value, not a list"]),
        (depending(b"  - cri\n  - path: x\n"),
         ["service-malformed: line 6: depends[0]: this is a single value, not a mapping",
          "service-dependency: line 7: depends[1].path: 'x' is not absolute"]),
    ],
)  # fmt: skip
def test_every_broken_rule_is_named(text: bytes, expected: list[str]) -> None:
    service, faults = parse_service(text, file=FILE)

    assert service is None
    assert [f"{fault.rule}: {fault.problem}" for fault in faults] == expected
    assert all(fault.path == FILE and fault.remedy for fault in faults)


def test_aliases_do_not_make_a_service_of_more_text_than_its_file_may_hold() -> None:
    long = b'"' + b"x" * 1000 + b'"'
    text = SMALLEST.replace(b"\nr", b"\n  args: [&a " + long + b", *a" * 900 + b"]\nr")

    service, faults = parse_service(text, file=FILE)

    assert service is None
    assert faults[0].rule == "service-malformed"
    assert "args[65]: the file's values are longer than 65536 characters together" in faults[0].problem


def test_a_flood_of_faults_is_cut() -> None:
    text = SMALLEST.replace(b"\nr", b"\n  args: [" + b"{}," * MAX_ITEMS + b"]\nr")

    assert len(parse_service(text, file=FILE)[1]) == MAX_FAULTS
