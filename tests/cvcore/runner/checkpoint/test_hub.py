"""The real huggingface_hub and timm, which find their hub on this machine."""

from __future__ import annotations

import hashlib
import importlib.util
import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
import torch
from tests.processes import Ended, python, run

pytestmark = pytest.mark.slow
COMMIT = "0123456789abcdef0123456789abcdef01234567"
REVISIONS = ("main", "v1", COMMIT)


class Hub(ThreadingHTTPServer):
    """Answers as the hub does: where a file of a repository lies, its size, digest and content."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.files: dict[str, bytes] = {}  # by repository and path in it
        self.asked: list[str] = []  # files that were sent, with the revision


class Answer(BaseHTTPRequestHandler):
    server: Hub

    def do_HEAD(self) -> None:
        self.answer(False)

    def do_GET(self) -> None:
        self.answer(True)

    def answer(self, whole: bool) -> None:
        repository, _, rest = self.path.lstrip("/").partition("/resolve/")
        revision, _, name = rest.partition("/")
        content = self.server.files.get(f"{repository}/{name}")
        if content is None or revision not in REVISIONS:
            self.send_response(404)
            self.send_header("X-Error-Code", "EntryNotFound" if rest else "RepoNotFound")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if whole:
            self.server.asked.append(f"{repository}/{name}@{revision}")
            self.wfile.write(content)

    def log_message(self, format: str, *arguments: object) -> None:
        """Nothing is written to the terminal."""


@pytest.fixture
def hub() -> Iterator[Hub]:
    with Hub() as hub:
        thread = Thread(target=hub.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield hub
        hub.shutdown()
        thread.join()


LOAD = """
import json, sys
from cvcore.errors import CheckpointError
from cvcore.runner import CheckpointLoader
for address in sys.argv[1:]:
    try:
        state = CheckpointLoader.load_checkpoint(address, map_location='cpu')['state_dict']
        print(json.dumps({name: float(value.double().sum()) for name, value in state.items()}))
    except CheckpointError as error:
        print(json.dumps(str(error)))
"""


@pytest.fixture
def load(hub: Hub, tmp_path: Path) -> Callable[..., list]:
    """Load addresses in another process; gives sums of weights, or an error's text, of each.

    In another one because both libraries read their settings when they are imported.
    """

    def go(library: str, *addresses: str) -> list:
        if importlib.util.find_spec(library) is None:
            extra = {"huggingface_hub": "hf"}.get(library, library)
            pytest.skip(f"{library} is not installed; get it with: pip install 'cvcore[{extra}]'")
        environment = {
            "HF_ENDPOINT": f"http://127.0.0.1:{hub.server_address[1]}",
            "HF_HOME": str(tmp_path / "cache"),
            "HF_HUB_OFFLINE": "0",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_XET": "1",
            "NO_PROXY": "127.0.0.1",
        }
        done: Ended = run(python("-c", LOAD, *addresses), environment)
        assert done.code == 0, done.errors
        return [json.loads(line) for line in done.out.splitlines()]

    return go


def test_a_file_of_the_hub_is_fetched_once(
    hub: Hub, load: Callable[..., list], tmp_path: Path
) -> None:
    torch.save({"state_dict": {"weight": torch.full((2, 2), 3.0)}}, tmp_path / "net.pth")
    hub.files["owner/repo/sub/net.pth"] = (tmp_path / "net.pth").read_bytes()
    addresses = [f"hf://owner/repo{revision}/sub/net.pth" for revision in ("", "@v1", "@v2")]
    found = load("huggingface_hub", *addresses, "hf://owner/repo/absent.pth")
    assert found[:2] == [{"weight": 12.0}] * 2
    assert found[2].startswith("cannot get hf://owner/repo@v2/sub/net.pth from the hub: ")
    assert found[3].startswith("cannot get hf://owner/repo/absent.pth from the hub: ")
    # The revision v1 is the commit that main stood at: the file was in the cache by then.
    assert hub.asked == ["owner/repo/sub/net.pth@main"]


def test_a_model_of_timm_is_loaded_with_the_weights_of_its_repository(
    hub: Hub, load: Callable[..., list], tmp_path: Path
) -> None:
    timm = pytest.importorskip("timm", reason="get it with: pip install 'cvcore[timm]'")
    library = pytest.importorskip("safetensors.torch", reason="get it: pip install 'cvcore[hf]'")
    torch.manual_seed(3)
    state = timm.create_model("test_resnet", pretrained=False).state_dict()
    library.save_file(state, tmp_path / "model.safetensors")
    content = (tmp_path / "model.safetensors").read_bytes()
    hub.files["timm/test_resnet.r160_in1k/model.safetensors"] = content
    addresses = ("timm://test_resnet.r160_in1k", "timm://resnet18.a1_in1k", "timm://resnet18.a1")
    whole, offline, unknown = load("timm", *addresses)
    assert whole == {name: float(value.double().sum()) for name, value in state.items()}
    assert offline.startswith("cannot get the weights of timm://resnet18.a1_in1k: ")
    assert "timm has no pretrained model 'resnet18.a1'; nearest: " in unknown
