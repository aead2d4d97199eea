_base_ = './detector.py'
data = dict(samples_per_gpu={{ $DETECTOR_SAMPLES:4 }})
lr = {{ _base_.optimizer.lr }} * 2
optimizer = dict(lr=lr)
note = '${data.samples_per_gpu} images, lr ${lr}'
