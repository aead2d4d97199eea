# As mstrain_3x_coco_instance.py, on polygons.
_base_ = './mstrain_3x_coco_instance.py'
poly2mask = False
