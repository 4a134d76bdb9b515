"""Models that come from Hugging Face folders, and go to them."""

from collections.abc import Callable, Iterator
from pathlib import Path

from tfmcore.config import UserError
from tfmcore.data.progress import Progress
from tfmcore.engine.desk import Desk
from tfmcore.engine.handlers import Answer
from tfmcore.families.exporting import Exported
from tfmcore.families.exporting import export_model as export_to_hugging_face
from tfmcore.families.importing import import_model as import_from_hugging_face
from tfmcore.families.onnx import OnnxExported, export_onnx
from tfmcore.messages import ExportModel, Imported, ImportModel, ModelExported
from tfmcore.runs import find_model
from tfmcore.workspace import find_workspace, workspace_folder

FORMATS: dict[str, Callable[[Path, Path, Progress], Exported | OnnxExported]] = {
    "huggingface": export_to_hugging_face,
    "onnx": export_onnx,
}


def import_model(request: ImportModel, desk: Desk, report: Progress) -> Iterator[Answer]:
    source = Path(request.path).expanduser()
    name = request.name.strip() or source.absolute().name
    if not name or name in (".", "..") or Path(name).name != name or "\\" in name:
        raise UserError(f"{name!r:.100} cannot be the name of a model's folder: choose a plain name")
    target = workspace_folder() / "models" / name
    found = import_from_hugging_face(source, target, report)
    yield Imported(
        id=request.id,
        folder=str(target),
        family=found.family.title,
        parameters=found.model.num_parameters(),
        ignored=found.ignored,
        added=found.added,
        read=found.read,
        notes=found.notes,
    )


def export_model(request: ExportModel, desk: Desk, report: Progress) -> Iterator[Answer]:
    source = find_model(request.model, find_workspace() / "runs")
    target = Path(request.path).expanduser()
    written = FORMATS[request.format](source, target, report)
    yield ModelExported(id=request.id, folder=str(target), files=written.files, notes=written.notes)
