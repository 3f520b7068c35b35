"""The presets there are: those that come with the product, and those of the operator's files."""

from collections.abc import Iterable
from pathlib import Path

from appliance.chain import preset as presets
from appliance.chain.preset import Preset
from appliance.errors import ConfigError


class Presets:
    """Presets by name."""

    def __init__(self, files: Iterable[str] = ()) -> None:
        """Read the operator's files.

        Raises:
            ConfigError: a file is wrong, or takes a name that is taken; names file and cure.
        """
        self.own: dict[str, Preset] = {}
        ours = presets.names()
        for file in files:
            preset = presets.load(Path(file))
            if preset.name in ours or preset.name in self.own:
                owner = "comes with the product" if preset.name in ours else "another file has"
                raise ConfigError(
                    f"{file}: name must be a preset's that is not there yet, was "
                    f"{preset.name!r}, which {owner}: choose another"
                )
            self.own[preset.name] = preset

    def names(self) -> list[str]:
        """Return all names."""
        return sorted({*presets.names(), *self.own})

    def named(self, name: str, key: str = "preset") -> Preset:
        """Return the preset called `name`, which was given under `key`.

        Raises:
            ConfigError: there is none; lists those there are.
        """
        if name in self.own:
            return self.own[name]
        if name not in presets.names():
            raise ConfigError(f"{key} must be one of {', '.join(self.names())}, was {name!r}")
        return presets.built_in(name)

    def check_factory(self, preset: Preset, key: str = "factory") -> None:
        """Check that factories of this preset tell of their markets.

        Raises:
            ConfigError: they do not; lists the presets whose factories do.
        """
        if not preset.creation_topics:
            able = [n for n in self.names() if self.named(n).creation_topics]
            raise ConfigError(
                f"{key} must be left out with preset {preset.name}, which knows no factory: "
                f"name the markets' own contracts, or use one of {', '.join(able)}"
            )
