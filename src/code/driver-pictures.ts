/** The driver's second part, in Python: shows values as Jupyter does, and takes figures. */
export const DRIVER_PICTURES = String.raw`
def show(value, images):
    """As Jupyter does it: a picture if the value can make one, else its repr."""
    if value is None:
        return
    space.__dict__["_"] = value
    png = picture(value)
    if png is None:
        log.say(repr(value))
    else:
        add(png, images)


def add(png, images):
    if len(images) < MOST_IMAGES:
        images.append(png)
    else:
        state["undrawn"] += 1


def display(*values, **_):
    """As in Jupyter, where code need not import it."""
    for value in values:
        png = picture(value)
        if png is None:
            log.say(repr(value) + "\n")
        else:
            add(png, state["images"])


def take_display(message):
    """What IPython's own display publishes, in a kernel. It is not sent anywhere else."""
    data = message["content"]["data"]
    if "image/png" in data:
        add(base64.b64decode(data["image/png"]), state["images"])
    else:
        log.say(str(data.get("text/plain", "")) + "\n")


def picture(value):
    figure = getattr(sys.modules.get("matplotlib.figure"), "Figure", None)
    if isinstance(figure, type) and isinstance(value, figure):
        return None if is_open_figure(value) else drawn(value)
    if isinstance(value, type) or getattr(type(value), "_repr_png_", None) is None:
        return None
    data = value._repr_png_()
    if isinstance(data, tuple):
        data = data[0]
    if isinstance(data, str):
        data = base64.b64decode(data)
    return bytes(data) if isinstance(data, (bytes, bytearray)) else None


def is_open_figure(figure):
    # Asked of pyplot, a figure would become the current one.
    pyplot = getattr(sys.modules.get("matplotlib._pylab_helpers"), "Gcf", None)
    return pyplot is not None and any(one.canvas.figure is figure for one in pyplot.get_all_fig_managers())


def drawn(figure):
    file = io.BytesIO()
    figure.savefig(file, format="png", bbox_inches="tight")
    return file.getvalue()


def take_figures(images):
    """Those of matplotlib that are open, in the order of their numbers. Closes all, then raises what one did."""
    plt = sys.modules.get("matplotlib.pyplot")
    if plt is None or not hasattr(plt, "get_fignums"):
        return
    failures = []
    for number in plt.get_fignums():
        try:
            # Beyond the limit it is only counted.
            add(drawn(plt.figure(number)) if len(images) < MOST_IMAGES else None, images)
        except BaseException as error:
            failures.append(error)
    plt.close("all")
    if failures:
        raise failures[0]


class Backend:
    """Of matplotlib: draws as "agg" does; "show" takes the figures, so that what is drawn later is another one."""

    NAME = "_threadkeep_figures"

    @classmethod
    def find_spec(cls, name, *_):
        return importlib.machinery.ModuleSpec(name, cls) if name == cls.NAME else None

    @staticmethod
    def create_module(spec):
        return None

    @staticmethod
    def exec_module(module):
        from matplotlib.backends.backend_agg import FigureCanvasAgg

        module.FigureCanvas = FigureCanvasAgg
        module.show = lambda *_, **__: take_figures(state["images"])
`;
