// A heatmap, drawn here: Grafana publishes no component for it.

import { dateTimeFormat, type DataFrame, type GrafanaTheme2, type TimeRange } from '@grafana/data';

interface Props {
  /** One frame for each bucket, the smallest first. */
  rows: DataFrame[];
  label: (row: DataFrame) => string;
  timeRange: TimeRange;
  width: number;
  height: number;
  theme: GrafanaTheme2;
  exponent: number;
}

const LEFT = 64;
const BOTTOM = 22;

export function Cells({ rows, label, timeRange, width, height, theme, exponent }: Props) {
  const [from, to] = [timeRange.from.valueOf(), timeRange.to.valueOf()];
  const times: number[] = [...new Set(rows.flatMap((row) => row.fields[0].values as number[]))].sort(
    (one, other) => one - other,
  );
  const step = Math.min(...times.slice(1).map((time, index) => time - times[index]));
  const most = Math.max(...rows.flatMap((row) => row.fields[1].values as number[]), 1e-9);
  const cell = { width: ((width - LEFT) * step) / (to - from), height: (height - BOTTOM) / Math.max(rows.length, 1) };
  const x = (time: number) => LEFT + ((time - from) / (to - from)) * (width - LEFT);
  const y = (index: number) => height - BOTTOM - (index + 1) * cell.height;
  const every = Math.ceil(14 / cell.height);
  const ticks = [0.1, 0.3, 0.5, 0.7, 0.9].map((part) => from + part * (to - from));
  return (
    <svg width={width} height={height} fontSize={12} fill={theme.colors.text.secondary}>
      {rows.flatMap((row, index) =>
        row.fields[1].values.map((count: number, at: number) => {
          const time = row.fields[0].values[at];
          if (!(count > 0) || x(time) - cell.width < LEFT) return null;
          const size = { width: Math.max(cell.width - 1, 0.5), height: Math.max(cell.height - 1, 0.5) };
          return (
            <rect
              key={`${index} ${time}`}
              x={x(time) - cell.width}
              y={y(index)}
              {...size}
              fill={turbo((count / most) ** exponent)}
            />
          );
        }),
      )}
      {rows.map((row, index) =>
        index % every ? null : (
          <text key={index} x={LEFT - 6} y={y(index) + cell.height / 2 + 4} textAnchor="end">
            {label(row)}
          </text>
        ),
      )}
      {ticks.map((time) => (
        <text key={time} x={x(time)} y={height - 4} textAnchor="middle">
          {dateTimeFormat(time, { format: 'HH:mm:ss' })}
        </text>
      ))}
    </svg>
  );
}

/** From dark blue by way of green to red, as the scheme Turbo goes: its corners, and what lies between. */
function turbo(share: number): string {
  const corners = [
    [48, 18, 59],
    [70, 107, 227],
    [40, 187, 236],
    [49, 242, 153],
    [162, 252, 60],
    [237, 208, 58],
    [251, 128, 34],
    [210, 49, 5],
    [122, 4, 3],
  ];
  const place = Math.min(Math.max(share, 0), 1) * (corners.length - 1);
  const below = Math.min(Math.floor(place), corners.length - 2);
  const mixed = corners[below].map((part, index) =>
    Math.round(part + (corners[below + 1][index] - part) * (place - below)),
  );
  return `rgb(${mixed.join()})`;
}
