import type { Report } from './report.ts'
import { show } from './report.ts'
import type { Group, Row } from './results.ts'

const WIDTH = 760
const LABEL = 250
const BAR = 330
const LINE = 24
const TITLE = 46

// The file is shown by an <img>: it has no styles but its own, and follows the reader's system, not the page.
const STYLE = `
  text { font: 13px system-ui, -apple-system, 'Segoe UI', sans-serif; fill: #1f2328 }
  .title { font-weight: 600 }
  .quiet { fill: #656d76; font-size: 12px }
  .value { font-variant-numeric: tabular-nums }
  .track { fill: #818b981f }
  .other { fill: #8c959f }
  .ours { fill: #0969da }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 }
    .quiet { fill: #9198a1 }
    .other { fill: #6e7681 }
    .ours { fill: #4493f8 }
  }`

const escapeXml = (text: string) => text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`)

function bar(row: Row, group: Group, largest: number, y: number): string {
  const share = Number.isFinite(row.value) ? row.value / largest : 0
  const width = Math.max(2, share * BAR)
  // Where contenders are compared ours stands out; where all rows are ours, all do.
  const ours =
    /^bukhindor|served|in the storm/.test(row.name) || !group.rows.some(({ name }) => /^bukhindor/.test(name))
  const ratio = group.rows.length > 1 ? ` · ×${show(row.ratio)}` : ''
  return `
  <text x="${LABEL - 12}" y="${y + 13}" text-anchor="end">${escapeXml(row.name)}</text>
  <rect class="track" x="${LABEL}" y="${y + 1}" width="${BAR}" height="16" rx="4"/>
  <rect class="${ours ? 'ours' : 'other'}" x="${LABEL}" y="${y + 1}" width="${width.toFixed(1)}" height="16" rx="4"/>
  <text class="value" x="${LABEL + BAR + 12}" y="${y + 13}">${show(row.value)}<tspan class="quiet">${ratio}</tspan></text>`
}

/** A report as one SVG: a bar for each row, groups below each other, fit for light and dark pages. */
export function chart({ groups, machine, at }: Report): string {
  let y = 12
  const parts = groups.map((group) => {
    const largest = Math.max(...group.rows.map(({ value }) => value).filter(Number.isFinite))
    const better = /^(ms|MiB)/.test(group.unit) ? 'less is better' : 'more is better'
    const heading = `
  <text class="title" x="16" y="${y + 14}">${escapeXml(group.title)}</text>
  <text class="quiet" x="16" y="${y + 31}">${escapeXml(`${group.unit}, ${better}`)}</text>`
    y += TITLE
    const bars = group.rows.map((row) => {
      y += LINE
      return bar(row, group, largest, y - LINE)
    })
    y += 18
    return heading + bars.join('')
  })
  const foot = `${machine.cpu}, ${machine.cores} cores, Node.js ${machine.versions.node}, ${at.slice(0, 10)}`
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${y + 24}" width="${WIDTH}" height="${y + 24}" role="img" aria-label="Measured speed">
<style>${STYLE}
</style>${parts.join('')}
  <text class="quiet" x="16" y="${y + 10}">${escapeXml(foot)}</text>
</svg>
`
}
