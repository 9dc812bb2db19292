/** How logs keep what a process wrote: each takes the lines and gives a text in that format. */
export const wrappers: Record<string, (lines: readonly string[]) => string> = {
  plain: (lines) => text(lines),
  "with carriage returns": (lines) => lines.map((line) => `${line}\r\n`).join(""),
  "aws logs tail": (lines) =>
    text(lines.map((line) => `2026-11-21T09:00:00.012000+00:00 app/api/4f1c ${line}`)),
  "S3 export": (lines) => text(lines.map((line) => `2026-11-21T09:00:00.012Z ${line}`)),
  "aws logs get-log-events": (lines) =>
    `${JSON.stringify({ events: events(lines), nextForwardToken: "f/1" }, null, 4)}\n`,
  "filter-log-events in one line": (lines) =>
    `${JSON.stringify({ events: events(lines), searchedLogStreams: [] })}\n`,
  "events one by one": (lines) => text(events(lines).map((event) => JSON.stringify(event))),
  "get-log-events --output text": (lines) =>
    text(lines.map((line) => `EVENTS\t1795251600112\t${line}\t1795251600012`)),
  "subscription through Firehose": (lines) =>
    `${lines
      .map((line) => JSON.stringify({ messageType: "DATA_MESSAGE", logEvents: events([line]) }))
      .join("")}\n`,
  "Insights results": (lines) => `${JSON.stringify(insights(lines), null, 4)}\n`,
  "Insights results in one line": (lines) => `${JSON.stringify(insights(lines))}\n`,
  "Insights as CSV": (lines) =>
    `@timestamp,@message\n${text(
      lines.map((line) => `2026-11-21 09:00:00.012,"${line.replaceAll('"', '""')}"`),
    )}`,
  "Docker json-file": (lines) => text(lines.map((line) => docker(`${line}\n`))),
  "Docker json-file in parts": (lines) =>
    text(lines.flatMap((line) => pieces(`${line}\n`, 50).map(docker))),
  "journalctl -o json": (lines) =>
    text(lines.map((line) => JSON.stringify({ MESSAGE: line, PRIORITY: "3", _PID: "1" }))),
  "journalctl -o json with bytes": (lines) =>
    text(lines.map((line) => JSON.stringify({ MESSAGE: [...Buffer.from(line)], _PID: "1" }))),
  "journalctl -o json in parts": (lines) =>
    text(
      lines.flatMap((line) =>
        pieces(line, 50).map((part, i, { length }) =>
          JSON.stringify({
            MESSAGE: part,
            _STREAM_ID: "4f1c",
            ...(i < length - 1 ? { _LINE_BREAK: "line-max" } : {}),
          }),
        ),
      ),
    ),
  "Kubernetes CRI": (lines) => text(lines.map((line) => cri("F", line))),
  "Kubernetes CRI in parts": (lines) =>
    text(
      lines.flatMap((line) =>
        pieces(line, 50).flatMap((part, i, { length }) => [
          cri(i < length - 1 ? "P" : "F", part),
          // Another stream writes meanwhile.
          "2026-11-21T09:00:00.012345678Z stdout F GET /health 200",
        ]),
      ),
    ),
  "Docker json-file within CloudWatch": (lines) =>
    text(lines.map((line) => JSON.stringify(events([docker(`${line}\n`)])[0]))),
};

const text = (lines: readonly string[]) => lines.map((line) => `${line}\n`).join("");

function events(lines: readonly string[]) {
  return lines.map((message, i) => ({
    timestamp: 1795251600012 + i,
    message,
    ingestionTime: 1795251600112,
  }));
}

function insights(lines: readonly string[]) {
  return {
    results: lines.map((line) => [
      { field: "@timestamp", value: "2026-11-21 09:00:00.012" },
      { field: "@message", value: line },
      { field: "@ptr", value: "Cq0BCn" },
    ]),
    statistics: { recordsMatched: lines.length },
    status: "Complete",
  };
}

function docker(log: string): string {
  return JSON.stringify({ log, stream: "stderr", time: "2026-11-21T09:00:00.012345678Z" });
}

function cri(tag: "P" | "F", line: string): string {
  return `2026-11-21T09:00:00.012345678Z stderr ${tag} ${line}`;
}

/** A text in parts; no character is torn apart. */
function pieces(line: string, size: number): string[] {
  const characters = [...line];
  const found: string[] = [];
  for (let i = 0; i < characters.length; i += size) {
    found.push(characters.slice(i, i + size).join(""));
  }
  return found;
}
