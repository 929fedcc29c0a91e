"""Everything tmstream raises on purpose, in one tree.

* TmstreamError
    * SpecError         -- the YAML is wrong; the message names file, line and field
        * UnknownNode   -- no installed package offers that node type
    * ContractError     -- two nodes cannot be joined, or a node broke its word
    * DeviceError       -- a camera, microphone, worker or socket failed; its node is restarted
    * InputError        -- a file, sample or command cannot be used; the message says why
        * Locked        -- a show began: what was taught stays as it is until it is unlocked
    * ModelError        -- a model file is missing or not the one that models.toml names
    * StoreError        -- a project cannot be read or written
"""


class TmstreamError(Exception):
    """Base of every error raised on purpose: one line that says where, and what to do next."""


class SpecError(TmstreamError, ValueError):
    """A pipeline is malformed. ``str()`` starts with ``file:line: path.to.field``."""


class UnknownNode(SpecError):
    """A pipeline names a node type that no installed package offers."""


class ContractError(TmstreamError):
    """A node was joined to the wrong neighbour, or broke its own contract."""


class DeviceError(TmstreamError, OSError):
    """A device, worker process or peer failed; the engine restarts this node, and only this one."""


class InputError(TmstreamError, ValueError):
    """A file, a sample or a command cannot be used."""


class Locked(InputError):
    """Teaching was locked for a show while something was going to be changed."""


class ModelError(TmstreamError):
    """A model file is missing, or its sha256 is not the one in models.toml."""


class StoreError(TmstreamError):
    """A project file cannot be opened, read or written."""
