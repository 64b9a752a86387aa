"""What a false flag or a miss looked like: the populations behind the type, and its counts over time."""

from independent.processes import EPOCH, HOUR, STEP
from independent.scenarios import make


def settings(hold):
    words = [hold.how.__name__ + (" (the leak)" if hold.leak else "")]
    for key, value in hold.p.items():
        if isinstance(value, (int, float, str)):
            words.append(f"{key}={value:.4g}" if isinstance(value, float) else f"{key}={value}")
    return " ".join(words)


def print_type(service, lives, name, until):
    """The lives that had it at that step, the oldest three."""
    for hold in service.holds:
        if hold.cls == name:
            print("    holds", settings(hold))
        elif hold.brings.get(name) and hold.leak:
            print("    brought by", hold.cls, settings(hold))
    alive = [x for x in lives if x.start < until <= x.start + len(x.t) + 2 * HOUR and name in x.count]
    for life in sorted(alive, key=lambda x: x.start)[:3]:
        seen = life.count[name] if name != "bytearray" else life.size[name]
        every = max(10, (until - life.start) // 20)
        line = lambda part: " ".join(str(int(x)) for x in part)
        print(
            f"    {life.version} {life.name} from hour {life.start / HOUR:.0f}, each {every / HOUR:.1f} h:",
            line(seen[: until - life.start : every]),
            "| then",
            line(seen[until - life.start :: every][:10]),
        )


def explain(result, told):
    """Prints nothing if the detector said what is true."""
    if not told["false"] and not (told["leaky"] and told["delay"] is None):
        return
    truth = result["truth"]
    service, lives = make(result["name"], result["seed"])
    print(f"\n{result['name']}:{result['seed']} {result['about']}")
    for x in told["false"]:
        hour = (x["time"] - EPOCH) / 3600
        print(f"  false: {x['type']} at hour {hour:.0f}, rule {x['rule']}, {x['kind']}: {x['reason']}")
        print_type(service, lives, x["type"], (x["time"] - EPOCH) // STEP)
    if told["leaky"] and told["delay"] is None:
        print(f"  missed: {truth}")
        for name in truth["types"]:
            mine = [x for x in result["said"] if x["type"] == name]
            said = [f"{x['severity']} {x['rule']} at {(x['time'] - EPOCH) / 3600:.0f}" for x in mine]
            print(f"   {name}: {', '.join(said[:8]) or 'nothing said'}")
            bad = [x for x in lives if truth["first"] <= x.index < truth["fixed"] and name in x.count]
            longest = max(bad, key=lambda x: len(x.t), default=None)
            if longest is not None:
                print_type(service, [longest], name, longest.start + len(longest.t))
