"""Where the workspace and the caches are."""

import pytest

from tfmcore.config import UserError
from tfmcore.workspace import cache_folder, find_workspace, workspace_folder


def test_chosen_folder_wins_over_the_variable(tmp_path, monkeypatch):
    monkeypatch.setenv("TFM_WORKSPACE", str(tmp_path / "variable"))
    assert find_workspace() == tmp_path / "variable"
    assert find_workspace(tmp_path / "chosen") == tmp_path / "chosen"


def test_default_lies_in_the_documents(monkeypatch):
    monkeypatch.delenv("TFM_WORKSPACE", raising=False)
    assert find_workspace().name == "Transformer Playground"
    assert find_workspace().is_absolute()


def test_home_and_relative_names_are_made_whole(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert find_workspace("été 🙂") == tmp_path / "été 🙂"
    assert "~" not in str(find_workspace("~/été"))


def test_only_workspace_folder_makes_it(tmp_path):
    folder = tmp_path / "a" / "été 训练 🙂"
    find_workspace(folder)
    assert not folder.exists()
    assert workspace_folder(folder) == folder
    assert folder.is_dir()


def test_caches(tmp_path, monkeypatch):
    monkeypatch.setenv("TFM_CACHE", str(tmp_path / "cache"))
    assert cache_folder() == tmp_path / "cache"
    assert cache_folder().is_dir()


def test_a_user_without_a_home_is_told_what_to_choose(tmp_path, monkeypatch):
    for name in ("TFM_WORKSPACE", "TFM_CACHE", "HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("os.path.expanduser", lambda path: path)  # as it is where nobody knows the user
    for find, advice in ((find_workspace, "TFM_WORKSPACE"), (cache_folder, "TFM_CACHE")):
        with pytest.raises(UserError, match=advice):
            find()
    assert find_workspace(tmp_path) == tmp_path


def test_file_in_the_way_is_said(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TFM_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(UserError, match="TFM_WORKSPACE"):
        workspace_folder(tmp_path / "file")
    with pytest.raises(UserError, match="TFM_CACHE"):
        cache_folder()
