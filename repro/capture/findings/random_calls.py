"""What draws random numbers, by library: which calls, what seeds each, and from where they draw without a seed."""

from dataclasses import dataclass

_RANDOM_STATE = ("random_state",)


def _names(text: str) -> list[str]:
    return text.split()


@dataclass(frozen=True, slots=True)
class Pool:
    """A generator that a library shares between all its calls.

    Attributes:
        name: As people call it, and as `repro.runner.observed` does.
        prefixes: Dotted names under which its functions are.
        functions: Those that draw.
        seeders: Calls that seed it, dotted.
        cure: How to seed it.
    """

    name: str
    prefixes: tuple[str, ...]
    functions: frozenset[str]
    seeders: frozenset[str]
    cure: str


_EVERYTHING = {
    *("lightning.seed_everything", "transformers.set_seed", "transformers.trainer_utils.set_seed"),
    *("accelerate.utils.set_seed", "fastai.torch_core.set_seed", "fastai.vision.all.set_seed"),
    *("keras.utils.set_random_seed", "monai.utils.set_determinism", "fastai.basics.set_seed"),
}

NUMPY = Pool(
    "numpy.random",
    ("numpy.random", "numpy.random.mtrand", "cupy.random"),
    frozenset(
        _names(
            "rand randn randint random random_sample random_integers ranf sample bytes choice shuffle "
            "permutation beta binomial chisquare dirichlet exponential f gamma geometric gumbel "
            "hypergeometric laplace logistic lognormal logseries multinomial multivariate_normal "
            "negative_binomial noncentral_chisquare noncentral_f normal pareto poisson power rayleigh "
            "standard_cauchy standard_exponential standard_gamma standard_normal standard_t "
            "triangular uniform vonmises wald weibull zipf"
        )
    ),
    frozenset({"numpy.random.seed", "numpy.random.set_state", "numpy.random.mtrand.seed", "cupy.random.seed"})
    | _EVERYTHING,
    "Draw from rng = np.random.default_rng(0), or call np.random.seed(0) first.",
)
PYTHON = Pool(
    "random",
    ("random",),
    frozenset(
        _names(
            "random randint randrange choice choices shuffle sample uniform gauss normalvariate "
            "lognormvariate expovariate betavariate gammavariate triangular vonmisesvariate "
            "paretovariate weibullvariate getrandbits randbytes binomialvariate"
        )
    ),
    frozenset({"random.seed", "random.setstate"}) | _EVERYTHING,
    "Call random.seed(0) first, or draw from random.Random(0).",
)
TORCH = Pool(
    "torch",
    ("torch", "torch.nn", "torch.nn.init", "torch.nn.functional", "torch.utils.data", "torch.random"),
    frozenset(
        _names(
            "rand randn randint randperm rand_like randn_like randint_like normal bernoulli "
            "multinomial poisson Linear LazyLinear Bilinear Conv1d Conv2d Conv3d ConvTranspose1d "
            "ConvTranspose2d ConvTranspose3d Embedding EmbeddingBag RNN LSTM GRU RNNCell LSTMCell "
            "GRUCell Transformer TransformerEncoderLayer TransformerDecoderLayer MultiheadAttention "
            "uniform_ normal_ trunc_normal_ xavier_uniform_ xavier_normal_ kaiming_uniform_ "
            "kaiming_normal_ orthogonal_ sparse_ dropout gumbel_softmax random_split RandomSampler "
            "WeightedRandomSampler SubsetRandomSampler"
        )
    ),
    frozenset({"torch.manual_seed", "torch.random.manual_seed", "torch.set_rng_state"}) | _EVERYTHING,
    "Call torch.manual_seed(0) first.",
)
TENSORFLOW = Pool(
    "tensorflow",
    ("tensorflow.random", "keras.layers", "keras.random", "keras.initializers", "keras.models", "tensorflow"),
    frozenset(
        _names(
            "normal uniform truncated_normal gamma poisson categorical shuffle random_normal "
            "random_uniform Dense Conv1D Conv2D Conv3D Conv1DTranspose Conv2DTranspose "
            "DepthwiseConv2D SeparableConv2D Embedding LSTM GRU SimpleRNN ConvLSTM2D "
            "MultiHeadAttention Dropout AlphaDropout GaussianNoise GaussianDropout SpatialDropout1D "
            "SpatialDropout2D RandomFlip RandomRotation RandomZoom RandomCrop RandomContrast "
            "GlorotUniform GlorotNormal HeNormal HeUniform LecunNormal RandomNormal RandomUniform "
            "TruncatedNormal randint"
        )
    ),
    frozenset({"tensorflow.random.set_seed", "tensorflow.set_random_seed", "tensorflow.random.set_random_seed"})
    | _EVERYTHING,
    "Call tf.keras.utils.set_random_seed(0) first: it seeds Python, NumPy and TensorFlow.",
)
POOLS = (NUMPY, PYTHON, TORCH, TENSORFLOW)


@dataclass(frozen=True, slots=True)
class Drawer:
    """A call that takes a seed of its own.

    Attributes:
        seeds: Arguments of which any seeds it.
        position: Place of the first of them when it may be given without its name.
        pool: What it draws from without a seed; None when nothing seeds it then.
        when: It draws only if one of these arguments is given, or has one of these values (as `ast.unparse`).
        unless: It doesn't draw if this argument has this value.
        start: It doesn't draw if this argument is given, and no text: it says where to start.
        cure: How to seed it, where a number as the first of `seeds` wouldn't do.
    """

    seeds: tuple[str, ...] = _RANDOM_STATE
    position: int | None = None
    pool: Pool | None = NUMPY
    when: tuple[tuple[str, tuple[str, ...]], ...] = ()
    unless: tuple[str, str] | None = None
    start: str | None = None
    cure: str = ""


_ALWAYS = Drawer()
_SHUFFLES = Drawer(when=(("shuffle", ("True",)),))
_FRESH = Drawer(("seed",), 0, None)

SKLEARN: dict[str, Drawer] = {
    **dict.fromkeys(
        _names(
            "ShuffleSplit StratifiedShuffleSplit GroupShuffleSplit RepeatedKFold "
            "RepeatedStratifiedKFold ParameterSampler RandomizedSearchCV HalvingRandomSearchCV "
            "HalvingGridSearchCV RandomForestClassifier RandomForestRegressor ExtraTreesClassifier "
            "ExtraTreesRegressor RandomTreesEmbedding BaggingClassifier BaggingRegressor "
            "AdaBoostClassifier AdaBoostRegressor GradientBoostingClassifier "
            "GradientBoostingRegressor DecisionTreeClassifier DecisionTreeRegressor "
            "ExtraTreeClassifier ExtraTreeRegressor MiniBatchKMeans BisectingKMeans "
            "SpectralClustering SpectralBiclustering SpectralCoclustering GaussianMixture "
            "BayesianGaussianMixture MLPClassifier MLPRegressor SGDClassifier SGDRegressor "
            "SGDOneClassSVM Perceptron PassiveAggressiveClassifier PassiveAggressiveRegressor "
            "TheilSenRegressor RANSACRegressor IsolationForest EllipticEnvelope MinCovDet "
            "TSNE MDS TruncatedSVD FastICA MiniBatchNMF LatentDirichletAllocation DictionaryLearning "
            "MiniBatchDictionaryLearning SparsePCA MiniBatchSparsePCA BernoulliRBM "
            "GaussianRandomProjection SparseRandomProjection RBFSampler Nystroem SkewedChi2Sampler "
            "PolynomialCountSketch TargetEncoder mutual_info_classif mutual_info_regression "
            "permutation_importance resample shuffle make_blobs make_classification make_regression "
            "make_circles make_friedman1 make_friedman2 make_friedman3 make_gaussian_quantiles "
            "make_hastie_10_2 make_low_rank_matrix make_moons make_multilabel_classification "
            "make_s_curve make_sparse_coded_signal make_sparse_spd_matrix make_sparse_uncorrelated "
            "make_spd_matrix make_swiss_roll make_biclusters make_checkerboard randomized_svd "
            "kmeans_plusplus"
        ),
        _ALWAYS,
    ),
    **dict.fromkeys(_names("KFold StratifiedKFold StratifiedGroupKFold learning_curve"), _SHUFFLES),
    "train_test_split": Drawer(unless=("shuffle", "False")),
    "LinearSVC": Drawer(unless=("dual", "False")),
    "KMeans": Drawer(start="init"),
    "SVC": Drawer(when=(("probability", ("True",)),)),
    "NuSVC": Drawer(when=(("probability", ("True",)),)),
    "LogisticRegression": Drawer(when=(("solver", ("'sag'", "'saga'", "'liblinear'")),)),
    "LogisticRegressionCV": Drawer(when=(("solver", ("'sag'", "'saga'", "'liblinear'")),)),
    "Ridge": Drawer(when=(("solver", ("'sag'", "'saga'")),)),
    "RidgeClassifier": Drawer(when=(("solver", ("'sag'", "'saga'")),)),
    **dict.fromkeys(_names("Lasso ElasticNet LassoCV ElasticNetCV"), Drawer(when=(("selection", ("'random'",)),))),
    "PCA": Drawer(when=(("svd_solver", ("'randomized'", "'arpack'")),)),
    "KernelPCA": Drawer(when=(("eigen_solver", ("'randomized'", "'arpack'")),)),
    "NMF": Drawer(when=(("init", ("'random'", "'nndsvdar'")),)),
    "DummyClassifier": Drawer(when=(("strategy", ("'stratified'", "'uniform'")),)),
    "IterativeImputer": Drawer(when=(("sample_posterior", ("True",)), ("imputation_order", ("'random'",)))),
    "HistGradientBoostingClassifier": Drawer(when=(("early_stopping", ("True",)), ("max_features", ()))),
    "HistGradientBoostingRegressor": Drawer(when=(("early_stopping", ("True",)), ("max_features", ()))),
}
"""By name, whatever module of scikit-learn has it. https://scikit-learn.org/stable/common_pitfalls.html#randomness"""

CALLS: dict[str, Drawer] = {
    **dict.fromkeys(
        _names(
            "numpy.random.default_rng numpy.random.RandomState numpy.random.PCG64 "
            "numpy.random.PCG64DXSM numpy.random.MT19937 numpy.random.Philox numpy.random.SFC64 "
            "numpy.random.mtrand.RandomState"
        ),
        _FRESH,
    ),
    "numpy.random.SeedSequence": Drawer(("entropy",), 0, None),
    "random.Random": Drawer(("x", "seed"), 0, None),
    **dict.fromkeys(
        _names(
            "scipy.optimize.differential_evolution scipy.optimize.dual_annealing "
            "scipy.optimize.basinhopping scipy.stats.bootstrap scipy.stats.permutation_test "
            "scipy.sparse.random scipy.stats.special_ortho_group scipy.cluster.vq.kmeans "
            "scipy.cluster.vq.kmeans2"
        ),
        Drawer(("rng", "seed", "random_state")),
    ),
    **dict.fromkeys(
        _names(
            "scipy.stats.qmc.Sobol scipy.stats.qmc.Halton scipy.stats.qmc.LatinHypercube scipy.stats.monte_carlo_test"
        ),
        Drawer(("rng", "seed"), pool=None),
    ),
    "umap.UMAP": Drawer(pool=None),
    "optuna.create_study": Drawer(
        ("sampler",), pool=None, cure="Give it a sampler with a seed: sampler=optuna.samplers.TPESampler(seed=0)."
    ),
    **dict.fromkeys(
        _names("optuna.samplers.TPESampler optuna.samplers.RandomSampler optuna.samplers.CmaEsSampler"),
        Drawer(("seed",), pool=None),
    ),
    "hyperopt.fmin": Drawer(("rstate",), pool=None, cure="Give it a generator: rstate=np.random.default_rng(0)."),
    "pymc.sample": Drawer(("random_seed",), pool=None),
    "pymc3.sample": Drawer(("random_seed",), pool=None),
    **dict.fromkeys(
        _names(
            "imblearn.over_sampling.SMOTE imblearn.over_sampling.ADASYN "
            "imblearn.over_sampling.RandomOverSampler imblearn.under_sampling.RandomUnderSampler "
            "imblearn.over_sampling.BorderlineSMOTE"
        ),
        _ALWAYS,
    ),
    "torch.utils.data.DataLoader": Drawer(("generator",), pool=TORCH, when=(("shuffle", ("True",)),)),
}
"""By dotted name."""

BOOSTERS = frozenset(
    _names(
        "xgboost.XGBClassifier xgboost.XGBRegressor xgboost.XGBRanker "
        "xgboost.sklearn.XGBClassifier xgboost.sklearn.XGBRegressor lightgbm.LGBMClassifier "
        "lightgbm.LGBMRegressor lightgbm.LGBMRanker lightgbm.sklearn.LGBMClassifier "
        "lightgbm.sklearn.LGBMRegressor catboost.CatBoostClassifier catboost.CatBoostRegressor"
    )
)
SUBSAMPLING = frozenset(
    _names(
        "subsample colsample_bytree colsample_bylevel colsample_bynode bagging_fraction "
        "feature_fraction subsample_for_bin rsm"
    )
)
BOOSTER_SEEDS = ("random_state", "seed", "random_seed")
UNSEEDABLE = frozenset(
    _names(
        "uuid.uuid1 uuid.uuid4 os.urandom random.SystemRandom secrets.token_bytes "
        "secrets.token_hex secrets.token_urlsafe secrets.choice secrets.randbelow "
        "secrets.randbits"
    )
)
