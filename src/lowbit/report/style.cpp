#include "lowbit/report/style.h"

namespace lowbit::report {

const std::string_view kStyle = R"css(
:root {
  color-scheme: light dark;
  --paper: #fff; --panel: #f6f7f9; --ink: #1c2026; --soft: #626b77; --rule: #dde1e6;
  --broken: #b42318; --bad: #b54708; --notable: #475467; --range: #9ec1f5; --code: #5b8def;
  --c0: #2463c9; --c1: #c4530c; --c2: #12805c; --c3: #8b3fc2;
  --c4: #a3790a; --c5: #c02662; --c6: #0e7c92; --c7: #5a6472;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #14171c; --panel: #1d2128; --ink: #e4e8ee; --soft: #98a2b0; --rule: #323944;
    --broken: #ff8577; --bad: #f5a35c; --notable: #b3bcc9; --range: #2f5796; --code: #6d9cf5;
    --c0: #74a7ff; --c1: #f79455; --c2: #4cc79a; --c3: #c48bf2;
    --c4: #dcb54a; --c5: #f4749f; --c6: #4fc3da; --c7: #a3adba;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; padding: 24px 28px 64px; max-width: 1280px; background: var(--paper);
  color: var(--ink); font: 15px/1.5 system-ui, "Segoe UI", "DejaVu Sans", sans-serif;
}
h1 { font-size: 22px; margin: 0 0 2px; overflow-wrap: anywhere; }
h2 { font-size: 18px; margin: 40px 0 10px; overflow-wrap: anywhere; }
h3 { font-size: 15px; margin: 24px 0 8px; }
p { margin: 4px 0 12px; }
.soft { color: var(--soft); }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(360px, 1fr)); gap: 14px; }
.card { background: var(--panel); border-radius: 8px; padding: 14px 16px; min-width: 0; }
.card .name { font-weight: 600; overflow-wrap: anywhere; }
.card .big { font-size: 30px; font-weight: 650; font-variant-numeric: tabular-nums; }
.chip { display: inline-block; width: 11px; height: 11px; border-radius: 3px; margin-right: 7px; }
dl.facts { display: grid; grid-template-columns: auto 1fr; gap: 1px 14px; margin: 8px 0 0; }
dl.facts dt { color: var(--soft); }
dl.facts dd { margin: 0; text-align: right; font-variant-numeric: tabular-nums; }
ul.findings { list-style: none; padding: 0; margin: 0; }
ul.findings li {
  display: grid; grid-template-columns: 74px minmax(150px, 260px) 1fr; gap: 12px; padding: 5px 0;
  border-top: 1px solid var(--rule);
}
ul.findings li:first-child { border-top: 0; }
.broken { color: var(--broken); } .bad { color: var(--bad); } .notable { color: var(--notable); }
.severity { font-weight: 600; }
code, .where { font-family: ui-monospace, "DejaVu Sans Mono", monospace; font-size: 13px;
  overflow-wrap: anywhere; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(480px, 1fr)); gap: 24px; }
figure.chart { margin: 0; min-width: 0; }
figure.chart figcaption { font-weight: 600; }
.plot { position: relative; }
.plot svg { width: 100%; height: auto; display: block; }
.legend { display: flex; flex-wrap: wrap; gap: 2px 16px; color: var(--soft); font-size: 13px;
  min-height: 20px; }
.key { display: inline-flex; align-items: center; gap: 6px; overflow-wrap: anywhere; }
.grid { stroke: var(--rule); stroke-width: 1; }
.tick { fill: var(--soft); font-size: 11.5px; }
.line { fill: none; stroke-width: 2; stroke-linejoin: round; }
.dashed { stroke-dasharray: 5 4; stroke-width: 1.6; }
.level { stroke-dasharray: 2 3; stroke-width: 1.4; }
.cursor { stroke: var(--soft); stroke-width: 1; }
.cursor[hidden] { display: none; }
.tip {
  position: absolute; top: 8px; padding: 6px 9px; border-radius: 6px; background: var(--panel);
  border: 1px solid var(--rule); font-size: 12.5px; line-height: 1.4; pointer-events: none;
  white-space: nowrap; z-index: 2; font-variant-numeric: tabular-nums;
}
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th { text-align: left; color: var(--soft); font-weight: 500; font-size: 13px; white-space: nowrap;
  vertical-align: bottom; }
th, td { padding: 4px 12px 4px 0; border-bottom: 1px solid var(--rule); }
td { white-space: nowrap; }
td.wide { white-space: normal; overflow-wrap: anywhere; }
td.r, th.r { text-align: right; }
tr.broken td:first-child, tr.bad td:first-child { font-weight: 600; }
svg.small { display: block; }
.range { fill: var(--range); }
.input { stroke: var(--ink); stroke-width: 1.3; }
.code { fill: var(--code); }
.dead { fill: var(--broken); }
.spark { fill: none; stroke: var(--soft); stroke-width: 1.4; }
.meter { display: inline-block; width: 70px; height: 8px; border-radius: 2px; margin-left: 8px;
  background: var(--rule); vertical-align: middle; overflow: hidden; }
.meter i { display: block; height: 100%; background: var(--code); }
tr.bad .meter i { background: var(--bad); }
.images { display: grid; grid-template-columns: repeat(auto-fill, minmax(104px, 1fr)); gap: 12px; }
.images figure { margin: 0; font-size: 12.5px; line-height: 1.35; overflow-wrap: anywhere; }
.images img { width: 100%; image-rendering: pixelated; border-radius: 4px; display: block;
  margin-bottom: 4px; }
details { margin: 20px 0; } summary { cursor: pointer; font-weight: 600; }
.c0 { stroke: var(--c0); } .c1 { stroke: var(--c1); } .c2 { stroke: var(--c2); }
.c3 { stroke: var(--c3); } .c4 { stroke: var(--c4); } .c5 { stroke: var(--c5); }
.c6 { stroke: var(--c6); } .c7 { stroke: var(--c7); }
.chip.c0 { background: var(--c0); } .chip.c1 { background: var(--c1); }
.chip.c2 { background: var(--c2); } .chip.c3 { background: var(--c3); }
.chip.c4 { background: var(--c4); } .chip.c5 { background: var(--c5); }
.chip.c6 { background: var(--c6); } .chip.c7 { background: var(--c7); }
@media (max-width: 700px) {
  body { padding: 16px; }
  .charts, .cards { grid-template-columns: minmax(0, 1fr); }
  ul.findings li { grid-template-columns: 1fr; gap: 0; }
}
)css";

const std::string_view kScript = R"js(
for (const svg of document.querySelectorAll('svg[data-chart]')) {
  const chart = JSON.parse(svg.dataset.chart);
  const cursor = svg.querySelector('.cursor'), tip = svg.parentNode.querySelector('.tip');
  const hide = () => { cursor.setAttribute('hidden', ''); tip.hidden = true; };
  svg.addEventListener('pointerleave', hide);
  svg.addEventListener('pointermove', event => {
    const box = svg.getBoundingClientRect(), scale = svg.viewBox.baseVal.width / box.width;
    const share = ((event.clientX - box.left) * scale - chart.first) / (chart.last - chart.first);
    const wanted = chart.low + share * (chart.high - chart.low);
    let x = null;
    for (const series of chart.series)
      for (const [at] of series.points)
        if (x === null || Math.abs(at - wanted) < Math.abs(x - wanted)) x = at;
    if (x === null) return hide();
    const place = chart.first + (x - chart.low) / (chart.high - chart.low) *
                  (chart.last - chart.first);
    cursor.setAttribute('x1', place);
    cursor.setAttribute('x2', place);
    cursor.removeAttribute('hidden');
    tip.replaceChildren();
    const line = (text, color) => {
      const row = document.createElement('div');
      if (color !== undefined) {
        const chip = document.createElement('span');
        chip.className = 'chip c' + color;
        row.append(chip);
      }
      row.append(text);
      tip.append(row);
    };
    line(chart.labels.length ? chart.labels[x] ?? '' : chart.x + ' ' + x);
    for (const series of chart.series)
      for (const [at, value] of series.points)
        if (at === x && value !== null)
          line(series.name + ': ' + Number(value.toPrecision(5)), series.color);
    tip.hidden = false;
    const left = place / scale;
    tip.style.left = left + tip.offsetWidth + 24 > box.width ? '' : left + 12 + 'px';
    tip.style.right = left + tip.offsetWidth + 24 > box.width ? box.width - left + 12 + 'px' : '';
  });
}
)js";

}  // namespace lowbit::report
