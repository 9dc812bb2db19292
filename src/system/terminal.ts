import { SingleBar } from "cli-progress";
import Table from "cli-table3";

/** Where a command tells people what it does. Colours and moving parts only on a real terminal. */
export interface Screen {
  /** Writes a line; without text an empty one. */
  line(text?: string): void;
  /** Writes a table with columns of these widths, and wraps what is longer. */
  table(widths: readonly number[], rows: readonly (readonly string[])[]): void;
  /** Shows how far a long work has come, until finish(). */
  progress(total: number, unit: string): Progress;
  style: Style;
}

export interface Progress {
  update(done: number): void;
  finish(): void;
}

type Style = Record<keyof typeof STYLES, (text: string) => string>;

const STYLES = { bold: 1, dim: 2, red: 31, green: 32, cyan: 36 };

/** Spaces before everything but titles. */
export const INDENT = "  ";

/** A screen on standard output. */
export function terminalScreen(output: NodeJS.WriteStream = process.stdout): Screen {
  const line = (text = "") => {
    output.write(`${text && INDENT}${text.replaceAll("\n", `\n${INDENT}`)}\n`);
  };
  return {
    line,
    table: (widths, rows) => line(layOut(widths, rows)),
    progress: output.isTTY
      ? (total, unit) => movingProgress(output, total, unit)
      : (total, unit) => plainProgress(line, total, unit),
    style: styles(output.isTTY && !process.env.NO_COLOR),
  };
}

/** A screen that shows nothing, for machine-readable output. */
export function silentScreen(): Screen {
  return {
    line: () => {},
    table: () => {},
    progress: () => ({ update: () => {}, finish: () => {} }),
    style: styles(false),
  };
}

function styles(colours: boolean): Style {
  const paint = ([name, code]: [string, number]) => [
    name,
    (text: string) => (colours ? `\u001b[${code}m${text}\u001b[0m` : text),
  ];
  return Object.fromEntries(Object.entries(STYLES).map(paint)) as Style;
}

/** Columns without lines: two spaces keep them apart. */
function layOut(widths: readonly number[], rows: readonly (readonly string[])[]): string {
  const none = Object.fromEntries(
    ["top", "bottom", "left", "right", "mid"].flatMap((side) => [
      [side, ""],
      [`${side}-mid`, ""],
      [`${side}-left`, ""],
      [`${side}-right`, ""],
    ]),
  );
  const table = new Table({
    chars: { ...none, middle: "  ", "mid-mid": "", "left-mid": "", "right-mid": "" },
    style: { "padding-left": 0, "padding-right": 0, head: [], border: [] },
    colWidths: [...widths],
    wordWrap: true,
  });
  table.push(...rows.map((row) => [...row]));
  return table
    .toString()
    .split("\n")
    .map((row) => row.trimEnd())
    .join("\n");
}

function movingProgress(output: NodeJS.WriteStream, total: number, unit: string): Progress {
  const bar = new SingleBar({
    format: `${INDENT}{bar}  {value} of {total} ${unit}`,
    formatValue: (value, _options, type) =>
      type === "value" || type === "total" ? count(value) : String(value),
    stream: output,
    barCompleteChar: "█",
    barIncompleteChar: "░",
    barsize: 50,
    hideCursor: true,
    clearOnComplete: true,
    // It would raise the signal a second time, and the second one means hurry.
    gracefulExit: false,
  });
  bar.start(total, 0);
  return { update: (done) => bar.update(done), finish: () => bar.stop() };
}

/** A line for each quarter. */
function plainProgress(line: Screen["line"], total: number, unit: string): Progress {
  let quarters = 0;
  return {
    update: (done) => {
      const reached = Math.floor((4 * done) / total);
      if (reached > quarters) line(`${count(done)} of ${count(total)} ${unit}`);
      quarters = reached;
    },
    finish: () => {},
  };
}

/** 10321 as 10,321. */
export function count(value: number): string {
  return value.toLocaleString("en-US");
}
