# DeepFashion, in-shop: 15 kinds of clothes with their masks.
_base_ = './coco_instance.py'
dataset_type = 'DeepFashionDataset'
data_root = 'data/DeepFashion/In-shop/'
train_scale = (750, 1101)
test_scale = (750, 1101)
query = dict(
    type=dataset_type,
    ann_file=data_root + 'annotations/DeepFashion_segmentation_query.json',
    img_prefix=data_root + 'Img/',
    data_root=data_root)
data = dict(
    workers_per_gpu=1,
    train=query,
    val=query,
    test={
        **query,
        'ann_file': data_root + 'annotations/DeepFashion_segmentation_gallery.json',
    })
evaluation = dict(interval=5)
