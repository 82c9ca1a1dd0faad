"""Runs `terraform validate` and `terraform test` where no registry of providers can be reached.

Terraform asks a provider only for its schemas then, and these are read from its bindings (schemas.py): a server of
the plugin protocol hands them out. Usage: python -m tests.deploy.aws.validate BINDINGS FOLDER.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
from tf.gen import tfplugin_pb2 as pb
from tf.gen import tfplugin_pb2_grpc as rpc

from tests.deploy.aws.schemas import Attribute, Bindings, Block

PROVIDER = "registry.terraform.io/hashicorp/aws"
USED = re.compile(r'^(resource|data) "aws_(\w+)"', re.MULTILINE)
Nesting = pb.Schema.NestedBlock


class Schemas(rpc.ProviderServicer):
    """A provider that has schemas and no opinion."""

    def __init__(self, bindings: Path, used: set[tuple[str, str]]) -> None:
        def schema(folder: str) -> pb.Schema:
            return pb.Schema(block=_block(Bindings(bindings / folder / "index.js").schema()))

        def schemas(kind: str, prefix: str) -> dict[str, pb.Schema]:
            names = sorted(name for found, name in used if found == kind)
            return {f"aws_{x}": schema(prefix + x.replace("_", "-")) for x in names}

        self.schemas = pb.GetProviderSchema.Response(
            provider=schema("provider"),
            resource_schemas=schemas("resource", ""),
            data_source_schemas=schemas("data", "data-aws-"),
        )

    def GetProviderSchema(self, request, context):
        return self.schemas

    def ValidateProviderConfig(self, request, context):
        return pb.ValidateProviderConfig.Response()

    def ValidateResourceConfig(self, request, context):
        return pb.ValidateResourceConfig.Response()

    def ValidateDataResourceConfig(self, request, context):
        return pb.ValidateDataResourceConfig.Response()

    def StopProvider(self, request, context):
        return pb.StopProvider.Response()


def _block(block: Block) -> pb.Schema.Block:
    return pb.Schema.Block(
        attributes=[_attribute(name, x) for name, x in block.attributes.items()],
        block_types=[
            Nesting(
                type_name=name,
                block=_block(x.block),
                nesting=Nesting.SET if x.mode == "set" else Nesting.LIST,
                min_items=int(x.is_required),
            )
            for name, x in block.blocks.items()
        ],
    )


def _attribute(name: str, attribute: Attribute) -> pb.Schema.Attribute:
    return pb.Schema.Attribute(
        name=name,
        type=json.dumps(attribute.type).encode(),
        required=attribute.is_required,
        optional=attribute.is_optional,
        computed=not attribute.is_required,
    )


def main(bindings: str, folder: str) -> int:
    """Return Terraform's own exit code."""
    used = {x for path in Path(folder).parent.rglob("*.tf") for x in USED.findall(path.read_text())}
    with tempfile.TemporaryDirectory() as scratch:
        server = grpc.server(ThreadPoolExecutor(4))
        rpc.add_ProviderServicer_to_server(Schemas(Path(bindings), used), server)
        server.add_insecure_port(f"unix://{scratch}/provider")
        server.start()
        try:
            return _ask_terraform(Path(folder), Path(scratch))
        finally:
            server.stop(None)


def _ask_terraform(folder: Path, scratch: Path) -> int:
    at = {"Network": "unix", "String": f"{scratch}/provider"}
    attached = {
        "Protocol": "grpc",
        "ProtocolVersion": 6,
        "Pid": os.getpid(),
        "Test": True,
        "Addr": at,
    }
    environment = {
        **os.environ,
        "CHECKPOINT_DISABLE": "1",
        "TF_CLI_CONFIG_FILE": os.devnull,
        "TF_DATA_DIR": f"{scratch}/data",
        "TF_REATTACH_PROVIDERS": json.dumps({PROVIDER: attached}),
    }
    for command in (["init", "-backend=false", "-input=false"], ["validate"], ["test"]):
        done = subprocess.run(
            ["terraform", *command, "-no-color"],
            cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        if done.returncode:
            print(done.stdout)
            return done.returncode
    print(done.stdout.rstrip().rpartition("\n")[2])
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
