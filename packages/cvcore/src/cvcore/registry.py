"""Turn a name in a config into a Python object: the only place where strings become classes."""

from __future__ import annotations

import inspect
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.metadata import entry_points
from typing import Any, TypeVar

from cvcore.arguments import add_note, check_arguments, name_of, unknown_argument
from cvcore.errors import ArgumentError, RegistryError, hint
from cvcore.imports import import_submodules

Factory = Callable[..., Any]
F = TypeVar("F", bound=Factory)

PLUGIN_GROUP = "cvcore.plugins"
# Prefixes that configs written for MMCV and MMDetection carry.
SCOPE_ALIASES = {"mmcv": "cvcore", "mmdet": "detcore"}

_import_lock = threading.RLock()
_plugins_loaded = False


class Registry:
    """Names of one role, such as ``backbone``, and the classes or functions that they stand for.

    A name is looked for here, then in ``packages`` (imported with all their modules on the first
    unknown name), in registries of the same scope below this one, in the parent, and last in
    installed plugins. ``"scope.Name"`` goes to the registry of that scope.

    Args:
        name: The role, as error messages put it.
        build_func: Called as ``build_func(cfg, registry=self, ...)`` by :meth:`build`; by default
            the parent's, or :func:`build_from_cfg`.
        parent: Where names unknown here are looked for.
        scope: The prefix under which the parent finds this registry; by default the top package
            of ``packages``, or that of the module which makes the registry.
        packages: Dotted names of packages whose modules register themselves here.
    """

    def __init__(
        self,
        name: str,
        build_func: Callable[..., Any] | None = None,
        parent: Registry | None = None,
        scope: str | None = None,
        packages: Sequence[str] = (),
    ) -> None:
        self.name = name
        self.packages = (packages,) if isinstance(packages, str) else tuple(packages)
        if scope is None:
            scope = self.packages[0].split(".")[0] if self.packages else self.infer_scope(depth=2)
        self.scope = scope
        self.parent = parent
        self.children: dict[str, Registry] = {}
        self._same_scope: list[Registry] = []
        self._modules: dict[str, Factory] = {}
        self._imported = False
        inherited: Callable[..., Any] = build_from_cfg if parent is None else parent.build_func
        self.build_func: Callable[..., Any] = build_func or inherited
        if parent is not None:
            parent._add_child(self)

    @staticmethod
    def infer_scope(depth: int = 1) -> str:
        """The top package of the code that calls this, or of that ``depth`` calls above."""
        return str(sys._getframe(depth).f_globals.get("__name__", "__main__")).split(".")[0]

    def _add_child(self, child: Registry) -> None:
        if child.scope == self.scope:
            self._same_scope.append(child)
        elif child.scope in self.children:
            raise RegistryError(
                f"registry {self.name!r} has a child of scope {child.scope!r} already: "
                f"{self.children[child.scope].name!r}; give {child.name!r} another scope or parent"
            )
        else:
            self.children[child.scope] = child

    @staticmethod
    def split_scope_key(key: str) -> tuple[str | None, str]:
        """Split ``"scope.Name"`` at its first dot; the scope of a plain name is None."""
        scope, dot, name = key.partition(".")
        if not dot:
            return None, key
        return SCOPE_ALIASES.get(scope, scope), name

    @property
    def module_dict(self) -> dict[str, Factory]:
        """Every name registered here so far and what it stands for."""
        return self._modules

    def __len__(self) -> int:
        return len(self._modules)

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and self.get(key, None) is not None

    def __repr__(self) -> str:
        names = ", ".join(sorted(self._modules))
        return f"Registry(name={self.name!r}, scope={self.scope!r}, names=[{names}])"

    def get(self, key: str, *default: Any) -> Any:
        """What ``key`` stands for; with a second argument, that is what an unknown name gives.

        Raises:
            RegistryError: The name is unknown and no default is given.
        """
        found = self._find(key)
        if found is None and _load_plugins():
            found = self._find(key)
        if found is not None:
            return found
        if default:
            return default[0]
        raise RegistryError(self._unknown(key))

    def _find(self, key: str) -> Factory | None:
        if key in self._modules:
            return self._modules[key]
        scope, name = self.split_scope_key(key)
        if scope in (None, self.scope):
            found = self._find_below(name)
            if found is None and self.parent is not None:
                found = self.parent._find(name if scope is None else key)
            return found
        if scope in self.children:
            return self.children[scope]._find(name)
        return self.parent._find(key) if self.parent is not None else None

    def _find_below(self, name: str) -> Factory | None:
        if name not in self._modules:
            self._import_packages()
        if name in self._modules:
            return self._modules[name]
        for registry in self._same_scope:
            found = registry._find_below(name)
            if found is not None:
                return found
        return None

    def _import_packages(self) -> None:
        if self._imported:
            return
        with _import_lock:
            if self._imported:
                return
            # Set first: the modules being imported may look up names themselves.
            self._imported = True
            try:
                for package in self.packages:
                    import_submodules(package)
            except BaseException:
                self._imported = False
                raise

    def _family(self) -> Iterator[Registry]:
        """This registry, those of its scope below it, then the same of its parents."""
        seen: set[int] = set()
        registry: Registry | None = self
        while registry is not None:
            waiting = [registry]
            while waiting:
                current = waiting.pop(0)
                if id(current) not in seen:
                    seen.add(id(current))
                    yield current
                    waiting.extend(current._same_scope)
            registry = registry.parent

    def _unknown(self, key: str) -> str:
        scope, name = self.split_scope_key(key)
        family = list(self._family())
        known = {n for registry in family for n in registry._modules}
        for registry in family:
            if scope in registry.children:
                known |= set(registry.children[str(scope)]._modules)
        places = ", ".join(
            f"{r.name!r} ({', '.join(r.packages) or f'scope {r.scope}'})" for r in family
        )
        scopes = {self.scope} | {s for r in family for s in (r.scope, *r.children)}
        remedy = "Register it with @register_module() or list its module in custom_imports"
        if scope is not None and scope not in scopes:
            remedy = f"No registry of scope {scope!r} exists; known scopes: {sorted(scopes)}"
        return f"no {self.name} named {key!r}{hint(name, known)}. Looked in: {places}. {remedy}"

    def build(self, cfg: Any, **kwargs: Any) -> Any:
        """The object that ``cfg`` describes; one that is built already comes back unchanged.

        ``kwargs`` go to the registry's build function, such as ``default_args=dict(...)``.
        """
        return self.build_func(cfg, registry=self, **kwargs)

    def register_module(
        self,
        name: str | Sequence[str] | Factory | None = None,
        force: bool = False,
        module: Factory | None = None,
    ) -> Any:
        """Register a class or function, as a decorator or, with ``module``, at once.

        Args:
            name: The name or names; by default that of the class or function itself.
            force: Replace what the name stood for before.
            module: The class or function to register now; it is returned.

        Raises:
            RegistryError: The name is taken and ``force`` is not set.
        """
        if module is None and callable(name):
            return self._register(name, None, force)
        if callable(name):
            raise TypeError("name must be a string or a sequence of strings")
        names = [name] if isinstance(name, str) else name
        if names is not None and not all(isinstance(each, str) for each in names):
            raise TypeError(f"name must be a string or a sequence of strings, not {name!r}")
        if module is not None:
            return self._register(module, names, force)

        def register(decorated: F) -> F:
            return self._register(decorated, names, force)

        return register

    def _register(self, module: F, names: Sequence[str] | None, force: bool) -> F:
        if not (inspect.isclass(module) or inspect.isroutine(module)):
            raise TypeError(f"{self.name}: only a class or a function registers, not {module!r}")
        names = [module.__name__] if names is None else names
        for name in names:
            if name in self._modules and not force:
                raise RegistryError(
                    f"{self.name} {name!r} is registered already, as {_where(self._modules[name])};"
                    f" pass force=True to replace it by {_where(module)}"
                )
        self._modules.update(dict.fromkeys(names, module))
        return module


def build_from_cfg(
    cfg: Any, registry: Registry, default_args: Mapping[str, Any] | None = None
) -> Any:
    """Build the object that ``cfg["type"]`` names, with the other keys as its arguments.

    Args:
        cfg: A mapping with the key ``type`` (a registered name, or a class or function itself).
            Anything but a mapping or a string is taken as built already and returned unchanged.
        registry: Where the name is looked up.
        default_args: Arguments for keys that ``cfg`` does not set; may hold ``type``.

    Raises:
        RegistryError: No such name.
        ArgumentError: An argument is unknown or missing.
    """
    if not isinstance(cfg, Mapping):
        if isinstance(cfg, str):
            raise ArgumentError(
                f"a {registry.name} is given as dict(type={cfg!r}, ...), not as text {cfg!r}"
            )
        return cfg
    arguments = {**(default_args or {}), **cfg}
    if "type" not in arguments:
        raise RegistryError(f"the config of a {registry.name} has no key 'type': {dict(cfg)!r}")
    kind = arguments.pop("type")
    if isinstance(kind, str):
        factory: Any = registry.get(kind)
    elif callable(kind):
        factory = kind
    else:
        raise ArgumentError(f"{registry.name}: 'type' must be a name or a class, not {kind!r}")
    check_arguments(factory, arguments, registry.name)
    try:
        return factory(**arguments)
    except Exception as error:
        unknown = unknown_argument(factory, arguments, registry.name, error)
        if unknown is not None:
            raise unknown from error
        add_note(error, f"while building {registry.name} {name_of(factory)}")
        raise


def _load_plugins() -> bool:
    """Import every installed plugin; False where that happened before."""
    global _plugins_loaded  # noqa: PLW0603  (one flag for the process)
    with _import_lock:
        if _plugins_loaded:
            return False
        _plugins_loaded = True
        for plugin in entry_points(group=PLUGIN_GROUP):
            try:
                plugin.load()
            except Exception as error:
                warnings.warn(
                    f"plugin {plugin.name!r} ({plugin.value}) cannot be loaded: {error!r}",
                    stacklevel=3,
                )
    return True


def _where(factory: Factory) -> str:
    return f"{getattr(factory, '__module__', '?')}.{name_of(factory)}"
