"""Import and export by the names that `tfmcore` gives them."""

from pathlib import Path

from tfmcore.families.exporting import Exported, export_model
from tfmcore.families.importing import Imported, import_model


def import_hf(source: str | Path, target: str | Path) -> Imported:
    """Make the model folder `target` of the Hugging Face folder `source`; raises UserError."""
    return import_model(Path(source), Path(target))


def export_hf(source: str | Path, target: str | Path) -> Exported:
    """Write the model folder `source` as the folder `target`, which `transformers` loads; raises UserError."""
    return export_model(Path(source), Path(target))
