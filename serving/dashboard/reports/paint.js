// Painting of the stacked bars. Final bars are solid, provisional ones hatched on a light ground,
// open ones dashed outlines: the difference is in the form, not only in the colour.

/** Bottom to top. */
export const seriesNames = /** @type {const} */ (['valid', 'duplicate', 'invalid'])

const hatchPx = 6

/**
 * A tile with a thin diagonal; three strokes, so that it joins at the tile's edges.
 * @param {CanvasRenderingContext2D} context
 * @param {string} colour
 * @param {number} scale device pixels per CSS pixel
 */
function hatch(context, colour, scale) {
  const size = Math.round(hatchPx * scale)
  const tile = document.createElement('canvas')
  tile.width = tile.height = size
  const pen = tile.getContext('2d')
  if (!pen) return colour
  pen.globalAlpha = 0.28
  pen.fillStyle = colour
  pen.fillRect(0, 0, size, size)
  pen.globalAlpha = 1
  pen.strokeStyle = colour
  pen.lineWidth = 1.5 * scale
  pen.beginPath()
  for (const shift of [-size, 0, size]) {
    pen.moveTo(shift - 1, size + 1)
    pen.lineTo(shift + size + 1, -1)
  }
  pen.stroke()
  return context.createPattern(tile, 'repeat') ?? colour
}

/**
 * @param {import('uplot')} plot
 * @param {object} view
 * @param {readonly import('./buckets.js').Bucket[]} view.buckets
 * @param {ReadonlySet<string>} view.hidden series not shown
 * @param {Record<string, string>} view.colours
 */
export function paintBars(plot, { buckets, hidden, colours }) {
  const context = plot.ctx
  const scale = devicePixelRatio
  const shown = seriesNames.filter((name) => !hidden.has(name))
  const hatches = Object.fromEntries(
    shown.map((name) => [name, hatch(context, colours[name], scale)]),
  )
  const { left, top, width, height } = plot.bbox
  context.save()
  context.beginPath()
  context.rect(left, top, width, height)
  context.clip()
  for (const bucket of buckets) {
    const place = placeOf(plot, bucket, scale)
    let base = 0
    for (const name of shown) {
      const y0 = Math.round(plot.valToPos(base, 'y', true))
      base += bucket[name]
      const y1 = Math.round(plot.valToPos(base, 'y', true))
      if (y0 > y1)
        paintSegment(
          context,
          { ...place, y: y1, height: y0 - y1 },
          bucket.provenance,
          colours[name],
          hatches[name],
          scale,
        )
    }
  }
  paintBefore(plot, buckets, colours.ink, scale)
  context.restore()
}

/** The previous period's valid clicks: a step over each bucket that has them. */
function paintBefore(plot, buckets, colour, scale) {
  const context = plot.ctx
  context.beginPath()
  context.strokeStyle = colour
  context.lineWidth = 1.5 * scale
  for (const bucket of buckets) {
    if (bucket.before === undefined || bucket.before === null) continue
    const { x, width } = placeOf(plot, bucket, scale)
    const y = Math.round(plot.valToPos(Number(bucket.before), 'y', true))
    context.moveTo(x, y)
    context.lineTo(x + width, y)
  }
  context.stroke()
}

function placeOf(plot, { start, end }, scale) {
  const from = plot.valToPos(start / 1000, 'x', true)
  const to = plot.valToPos(end / 1000, 'x', true)
  const gap = to - from > 12 * scale ? 2 * scale : to - from > 3 * scale ? scale : 0
  const x = Math.round(from + gap / 2)
  return { x, width: Math.max(1, Math.round(to - gap / 2) - x) }
}

function paintSegment(context, { x, y, width, height }, provenance, colour, pattern, scale) {
  if (provenance === 'final') {
    context.fillStyle = colour
    context.fillRect(x, y, width, height)
    return
  }
  context.fillStyle = pattern
  context.strokeStyle = colour
  context.lineWidth = scale
  if (provenance === 'open') {
    context.fillStyle = colour
    context.globalAlpha = 0.12
    context.setLineDash([3 * scale, 3 * scale])
  }
  context.fillRect(x, y, width, height)
  context.globalAlpha = 1
  if (width > 3 * scale) {
    context.strokeRect(x + scale / 2, y + scale / 2, width - scale, Math.max(0, height - scale))
  }
  context.setLineDash([])
}

/** Shades the time that is not final yet, so that it shows where there are no clicks too. */
export function paintUnsettled(plot, boundary, colour) {
  if (!Number.isFinite(boundary)) return
  const { left, top, width, height } = plot.bbox
  const from = Math.max(left, plot.valToPos(boundary / 1000, 'x', true))
  if (from >= left + width) return
  plot.ctx.fillStyle = colour
  plot.ctx.fillRect(from, top, left + width - from, height)
}

/** A small sample of a provenance for legends: a canvas, painted like the bars. */
export function paintSample(canvas, provenance, colour) {
  const scale = devicePixelRatio
  const [width, height] = [26, 14]
  canvas.width = width * scale
  canvas.height = height * scale
  const context = canvas.getContext('2d')
  if (!context) return
  const place = { x: 0, y: 0, width: canvas.width, height: canvas.height }
  paintSegment(context, place, provenance, colour, hatch(context, colour, scale), scale)
}

/** How the buckets are painted, as numbers, for the chart's description. */
export function countProvenance(buckets) {
  const counts = { final: 0, provisional: 0, open: 0 }
  for (const { provenance, future } of buckets) if (!future) counts[provenance]++
  return counts
}
