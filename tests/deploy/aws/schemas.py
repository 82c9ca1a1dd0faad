"""What the provider of AWS takes and gives, read from its bindings for JavaScript (@cdktn/provider-aws)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

SETTING = re.compile(
    r"^ +(\w+): \{\n\s+value: (.*),\n\s+isBlock: (true|false),\n\s+type: \"(\w+)\",\n"
    r"\s+storageClassType: \"(\w+)\",$",
    re.MULTILINE,
)
READ = re.compile(
    r"^    get (\w+)\(\) \{\n\s+return this\.get(\w+)Attribute\('(\w+)'\);", re.MULTILINE
)
MADE_OF = re.compile(r"new (\w+?)(?:List|OutputReference)\(this, \"(\w+)\"")
CLASS = re.compile(r"^class (\w+) extends cdkt\w\.(\w+) \{$", re.MULTILINE)
STRUCT = re.compile(r"^function (\w+)ToHclTerraform\(struct\) \{$", re.MULTILINE)
SCALARS = {"string": "string", "number": "number", "boolean": "bool", "any": "dynamic"}


@dataclass
class Attribute:
    """A value: of a type as Terraform writes it, in JSON."""

    type: object
    is_required: bool = False
    is_optional: bool = False


@dataclass
class Block:
    """Values and the blocks within."""

    attributes: dict[str, Attribute] = field(default_factory=dict)
    blocks: dict[str, Nested] = field(default_factory=dict)


@dataclass
class Nested:
    """A block that may be repeated: as a list, or as a set."""

    block: Block
    mode: str
    is_required: bool


class Bindings:
    """One resource's or data source's file."""

    def __init__(self, path: Path) -> None:
        text = path.read_text()
        self.classes = dict(_sections(CLASS, text))
        self.structs = dict(_sections(STRUCT, text))
        self.kinds = {name: kind for name, kind in CLASS.findall(text)}

    def schema(self) -> Block:
        """Return the schema of what the file is about."""
        (name,) = (x for x, kind in self.kinds.items() if not kind.startswith("Complex"))
        text = self.classes[name]
        return self._block(text[text.index("synthesizeHclAttributes") :], text)

    def _block(self, settings: str, readings: str) -> Block:
        """Return a block of which one part says what may be set, the other what can be read."""
        block = Block()
        for name, value, is_block, kind, of in SETTING.findall(settings):
            camel = re.sub(r"_(\w)", lambda x: x[1].upper(), name)
            is_required = not re.search(
                rf"^    reset{camel}\(", readings, re.MULTILINE | re.IGNORECASE
            )
            struct = re.search(r"(\w+)ToHclTerraform", value)
            if is_block == "true" and struct and struct[1] in self.structs:
                inner = self._block(self.structs[struct[1]], self._output_of(struct[1]))
                block.blocks[name] = Nested(inner, kind, is_required)
            else:
                block.attributes[name] = Attribute(_type(kind, of), is_required, not is_required)
        for _, kind, name in READ.findall(readings):
            if name not in block.attributes:
                block.attributes[name] = Attribute(_read_type(kind))
        for of, name in MADE_OF.findall(readings):
            if name not in block.blocks and name not in block.attributes:
                block.attributes[name] = Attribute(["list", self._object(of)])
        return block

    def _object(self, name: str) -> object:
        inner = self._block("", self._output_of(name))
        return ["object", {x: y.type for x, y in inner.attributes.items()}]

    def _output_of(self, struct: str) -> str:
        wanted = f"{struct}OutputReference".lower()
        return next((text for name, text in self.classes.items() if name.lower() == wanted), "")


def _sections(heading: re.Pattern[str], text: str) -> Iterator[tuple[str, str]]:
    """Yield each name with the text up to the next closing brace at a line's start."""
    for found in heading.finditer(text):
        yield found[1], text[found.end() : text.index("\n}", found.end())]


def _type(kind: str, of: str) -> object:
    scalar = SCALARS.get(re.sub(r"(List|Map)+$", "", of), "dynamic")
    return scalar if kind == "simple" else [kind, scalar]


def _read_type(kind: str) -> object:
    """Return the type of what is read by getStringAttribute, getListAttribute, getStringMapAttribute and the like."""
    of = SCALARS.get(re.sub("(List|Map)$", "", kind).lower(), "string")
    collection = re.search("(List|Map)$", kind)
    return [collection[0].lower(), of] if collection else of
