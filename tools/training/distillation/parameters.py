"""Parameters of the random views and of the losses, for the training with TensorFlow and that on a GPU.

Pairs in brackets are ranges of uniform random numbers.
"""

Range = tuple[float, float]

# Crops
SPEED_SHARE, SPEED = 0.5, (0.85, 1.18)
REPEATED_SHARE, SHORTEST_PIECE = 0.15, 100  # crops that repeat a piece, and its least length in frames
SHIFTED_SHARE, SHIFT_BANDS = 0.35, 4
EQ_POINTS, EQ_DB = 8, 4.0  # support points of a random equaliser and their standard deviation

# Views
MIXED_SHARE, MIX_DB = 0.35, (-18.0, 18.0)  # share of views that mix two recordings; level of the second one
NOISE_FLOOR_SHARE, NOISE_FLOOR_DB = (
    0.3,
    (40.0, 100.0),
)  # share of views with a noise floor, and its distance from the maximum
EFFECT_SHARES = [0.45, 0.4, 0.4, 0.25]  # of degraded views: room, band limit, noise, codec; at least one
SNR_DB = (-3.0, 30.0)
AUDIBLE_NOISE_DB = 6.0  # below this signal-to-noise ratio the teacher gets the noise, too: it is a sound of its own

# Effects
NOISE_SLOPE_DB, NOISE_FRAMES = (-25.0, 12.0), 60_000  # from darker than pink to brighter than white
DECAY_S, WET = (0.2, 1.2), (0.2, 2.0)  # of rooms: reverberation time, and its power relative to the direct sound
TELEPHONE_SHARE, TELEPHONE_LOW_HZ, TELEPHONE_HIGH_HZ, TELEPHONE_SLOPE_DB = 0.4, (200, 350), (3000, 3700), (4, 40)
# Upper limits of telephones, old recordings and low bit rates
LOW_PASS_SHARE, LOW_PASS_HZ = 0.4, [3500, 4000, 5500, 7000, 8000, 10000, 11000]
LOW_PASS_FACTOR, LOW_PASS_SLOPE_DB = (0.95, 1.05), (4, 60)
GENTLE_LOW_HZ, GENTLE_HIGH_HZ, GENTLE_SLOPE_DB = (80, 500), (4000, 15000), (0.5, 6)
CODEC_THRESHOLD_DB, CODEC_LOSS_DB, CODEC_HIGH_HZ, CODEC_SLOPE_DB = (25, 55), (5, 40), (6000, 15500), (10, 60)

# Losses and optimiser
HINT_WEIGHT = 0.1  # of all stages' hints together with the losses of embedding and logits
MUSIC_WEIGHT = 4.0  # of the logits for kinds of music, relative to others
LEAST_VARIANCE = 0.1  # of a stage's channel in the losses, relative to the mean of all channels
GRADIENT_NORM = 5.0
AVERAGING = 0.999  # per step, of the moving average of the weights
