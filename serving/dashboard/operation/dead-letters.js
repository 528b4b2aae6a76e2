// Records that no layer could read, and sending them through again. Hidden where the API has none.
import { h } from '../shared/dom.js'
import { formatCount } from '../shared/format.js'
import { redraw, tableOf } from '../shared/table.js'
import { ask } from './ask.js'
import { createPart } from './part.js'
import { moment } from './words.js'

const everyMs = 15_000
const pageMax = 50

/** @param {{ api: import('../shared/api.js').Api, say: (words: string) => void }} page */
export function createDeadLetters({ api, say }) {
  /** Chosen for replay; survives what the next answer changes. */
  const chosen = new Set()
  /** Cursors of the pages before this one, and of this one. */
  let cursors = ['']

  const replay = async (body, words) => {
    const answer = await ask({
      title: `Replay ${words}?`,
      words:
        'The original bytes are sent through again. What cannot be read still comes back here.',
      act: 'Replay',
    })
    if (!answer) return
    try {
      const done = await api.post('/v1/dead-letters/replay', body)
      chosen.clear()
      say(`Replayed ${done.replayed ?? words}.`)
      void part.refresh()
    } catch (error) {
      part.problem(error)
    }
  }
  const turn = (next) => {
    cursors = next
    void part.refresh()
  }
  const part = createPart({
    ...{ id: 'dead-letters', title: 'Dead letters', isOptional: true, nextMs: () => everyMs },
    load: (signal) => {
      const query = new URLSearchParams({ limit: String(pageMax) })
      const cursor = cursors.at(-1)
      if (cursor) query.set('cursor', cursor)
      return api.get(`/v1/dead-letters?${query}`, signal)
    },
    draw: (body, page) => {
      redraw(body, [page, cursors.length], () =>
        drawPage(page, {
          chosen,
          replay,
          back: cursors.length > 1 ? () => turn(cursors.slice(0, -1)) : undefined,
          more: page.next ? () => turn([...cursors, page.next]) : undefined,
        }),
      )
    },
  })
  return part
}

function drawPage({ data }, { chosen, replay, back, more }) {
  if (data.length === 0 && !back) return [h('p', { class: 'muted' }, 'There are none.')]
  const some = h(
    'button',
    {
      ...{ type: 'button', 'data-focus': 'some' },
      onclick: () => replay({ ids: [...chosen] }, `${chosen.size} chosen`),
    },
    'Replay chosen',
  )
  const show = () => {
    some.disabled = chosen.size === 0
  }
  const choose = ({ id }) => {
    const box = h('input', {
      type: 'checkbox',
      'aria-label': `Choose ${id}`,
      'data-focus': `${id}`,
    })
    box.checked = chosen.has(id)
    box.addEventListener('change', () => {
      if (box.checked) chosen.add(id)
      else chosen.delete(id)
      show()
    })
    return box
  }
  show()
  const button = (label, onclick) =>
    onclick && h('button', { type: 'button', 'data-focus': label, onclick }, label)
  return [
    tableOf(
      'Dead letters, the newest first',
      [
        { title: 'Record', of: ({ partition, offset }) => `${partition}:${formatCount(offset)}` },
        { title: 'Choose', of: choose },
        { title: 'At', of: ({ at }) => moment(at) },
        { title: 'Reason', of: ({ reason }) => reason },
        { title: 'Detail', of: ({ detail }) => String(detail ?? '') },
        { title: 'Bytes', number: true, of: ({ bytes }) => sizeOf(bytes) },
      ],
      data,
    ),
    h(
      'p',
      { class: 'line' },
      ...[
        some,
        button('Replay all', () => replay({ all: true }, 'all')),
        button('Newer', back),
        button('Older', more),
      ].filter(Boolean),
    ),
  ]
}

/** A length, or the bytes themselves as text. */
const sizeOf = (bytes) =>
  typeof bytes === 'number' ? formatCount(bytes) : String(bytes ?? '').slice(0, 40)
