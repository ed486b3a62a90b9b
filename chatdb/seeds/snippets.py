"""Programs, settings and log lines that stand in seeded chats; NUMBER is filled in."""

ANSWERS = (
    """```python
from pathlib import Path


def count_lines(folder: Path) -> dict[str, int]:
    \"\"\"Return the number of lines of each note.\"\"\"
    return {path.name: len(path.read_text().splitlines()) for path in folder.glob("*.md")}


longest = max(count_lines(Path("notes-NUMBER")).values())
```""",
    """```python
async def fetch(session, address, *, tries=3):
    for attempt in range(tries):
        try:
            return await session.get(address, timeout=NUMBER)
        except TimeoutError:
            await asyncio.sleep(2**attempt)
    raise RuntimeError(f"{address} does not answer")
```""",
    """```sql
SELECT customer, count(*) AS orders, max(placed_at) AS newest
FROM orders
WHERE placed_at >= now() - interval 'NUMBER days'
GROUP BY customer
HAVING count(*) > 3
ORDER BY orders DESC;
```""",
    """```sql
EXPLAIN (ANALYZE, BUFFERS)
SELECT * FROM readings WHERE sensor_id = NUMBER AND taken_at > '2026-01-01';
-- Index Scan using ix_readings_sensor_id on readings  (actual rows=NUMBER loops=1)
```""",
    """```bash
#!/usr/bin/env bash
set -euo pipefail
for file in photos/*.jpg; do
  convert "$file" -resize NUMBERx "small/$(basename "$file")"
done
```""",
    """```typescript
type Step = { title: string; done: boolean };

export const open = (steps: Step[]): Step[] =>
  steps.filter((step) => !step.done).slice(0, NUMBER);
```""",
    """```json
{
  "name": "weather-station",
  "interval": NUMBER,
  "sensors": [{"kind": "humidity", "pin": 4}, {"kind": "wind", "pin": 17}]
}
```""",
    """```yaml
services:
  kitchen-timer:
    image: registry.example/timer:1.NUMBER
    restart: unless-stopped
    environment:
      ALARM_AFTER: "NUMBER"
```""",
    """```css
.card { display: grid; gap: 0.NUMBERrem; }
.card > h2:focus-visible { outline: 2px solid; }
```""",
    """```diff
-    return total / len(values)
+    return total / len(values) if values else NUMBER
```""",
    """```rust
fn main() {
    let sum: u64 = (1..=NUMBER).filter(|n| n % 3 == 0).sum();
    println!("{sum}");
}
```""",
    """The error is bounded by

$$ |x_n - x| \\le \\frac{L^n}{1 - L} \\, |x_1 - x_0|, \\qquad L < 1 $$

so NUMBER steps are plenty.""",
)
"""What a model shows."""

PASTES = (
    """```
Traceback (most recent call last):
  File "/srv/app/report.py", line NUMBER, in <module>
    totals[row["month"]] += row["amount"]
KeyError: 'month'
```""",
    """<div class="note" data-id="NUMBER">
\t<b>Attention:</b> 5 &lt; 6 &amp; "quotes" don't hurt
\t<script>console.log("only text here")</script>
</div>""",
    'name;amount;date\nAda;12,50;2026-02-03\n"Bo; Jr.";NUMBER,00;2026-02-04\n=1+1;0;\n',
    "C:\\Users\\kim\\Desktop\\draft NUMBER.docx\n\\\\server\\share\\100% final (2).xlsx",
    "[bold]not markup[/bold] %s {braces} $(echo no) ' OR 'a'='a'; -- NUMBER",
    "https://shop.example/item?id=NUMBER&ref=chat#reviews",
    "ERROR  2026-03-14T15:09:26Z  worker-NUMBER  connection reset by peer",
    "Zoë\u2019s naïve café — “quoted”, 20 °C, ½ cup, x² ≤ NUMBER, e\u0301 and é\u00a0!",
)
"""What a person pastes into a question."""

LOG_LINES = (
    "INFO  worker-1 took job from queue=mail attempt=1 id=",
    "INFO  worker-2 took job from queue=thumbnails attempt=1 id=",
    "INFO  worker-3 finished job state=done milliseconds=",
    "DEBUG scheduler sleeps until=next-minute pending=",
    "DEBUG cache hit key=profile shard=4 age=",
    "DEBUG cache miss key=profile shard=2 bytes=",
    "WARN  database answered late statement=readings milliseconds=",
    "WARN  retry after timeout host=mail.example port=587 attempt=",
    "ERROR upload refused reason=too-large bytes=",
    "ERROR could not parse line=blank offset=",
    "INFO  healthcheck ok uptime=",
    "INFO  session opened user=guest session=",
    "INFO  session closed user=guest session=",
)
"""Lines of a log that lack their number; each says which service speaks."""
