"""Which attention is on show: one kind of one text, as the engine has looked into it."""

from dataclasses import dataclass

from tfmcore.messages import AttentionFacts, AttentionKind


@dataclass(frozen=True)
class Capture:
    """`facts` belong to this very texts, whatever is typed meanwhile."""

    text: str
    second: str
    kind: AttentionKind
    facts: AttentionFacts

    @property
    def fields(self) -> dict[str, str]:
        """What every request for a view of it says."""
        return {"text": self.text, "second": self.second, "attention": self.kind}


NOTHING = Capture("", "", "encoder", AttentionFacts(layers=0, heads=0, rows=[], columns=[]))
