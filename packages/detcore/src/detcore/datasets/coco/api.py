"""pycocotools' COCO object with MMDetection's method names, silent."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Hashable, Mapping
from typing import Any

from pycocotools import coco as pycocotools_coco


class COCO(pycocotools_coco.COCO):
    """Queries over one annotation file, under pycocotools' and under snake-case names."""

    def __init__(self, annotation_file: str | None = None) -> None:
        with contextlib.redirect_stdout(io.StringIO()):
            super().__init__(annotation_file)

    @classmethod
    def from_dict(cls, dataset: Mapping[str, Any]) -> COCO:
        """From the parsed content of an annotation file."""
        api = cls()
        api.dataset = dict(dataset)
        with contextlib.redirect_stdout(io.StringIO()):
            api.createIndex()
        return api

    @property
    def img_ann_map(self) -> Mapping[Hashable, list[dict[str, Any]]]:
        """Image id -> its annotations."""
        return self.imgToAnns

    @property
    def cat_img_map(self) -> Mapping[Hashable, list[Hashable]]:
        """Category id -> ids of the images that show it."""
        return self.catToImgs

    def get_ann_ids(
        self, img_ids: Any = (), cat_ids: Any = (), area_rng: Any = (), iscrowd: bool | None = None
    ) -> list[Hashable]:
        """Ids of the annotations of these images, categories and areas."""
        return self.getAnnIds(img_ids, cat_ids, area_rng, iscrowd)

    def get_cat_ids(self, cat_names: Any = (), sup_names: Any = (), cat_ids: Any = ()) -> list:
        """Ids of the categories with these names, in the file's order."""
        return self.getCatIds(cat_names, sup_names, cat_ids)

    def get_img_ids(self, img_ids: Any = (), cat_ids: Any = ()) -> list[Hashable]:
        """Ids of the images that show all of these categories."""
        return self.getImgIds(img_ids, cat_ids)

    def load_anns(self, ids: Any) -> list[dict[str, Any]]:
        """Annotations by id."""
        return self.loadAnns(ids)

    def load_cats(self, ids: Any) -> list[dict[str, Any]]:
        """Categories by id."""
        return self.loadCats(ids)

    def load_imgs(self, ids: Any) -> list[dict[str, Any]]:
        """Images by id."""
        return self.loadImgs(ids)
