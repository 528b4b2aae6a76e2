// Records that no layer could read, and sending them through again. Hidden where the API has none.
import { h } from '../shared/dom.js'
import { formatCount } from '../shared/format.js'
import { redraw, tableOf } from '../shared/table.js'
import { ask } from './ask.js'
import { createPart } from './part.js'
import { moment } from './words.js'

const everyMs = 15_000
const pageMax = 50
/** Pages that one click replays. */
const roundsMax = 500

/** @param {{ api: import('../shared/api.js').Api, say: (words: string) => void }} page */
export function createDeadLetters({ api, say }) {
  /** Chosen for replay; survives what the next answer changes. */
  const chosen = new Set()
  /** Cursors of the pages before this one, and of this one. */
  let cursors = ['']

  /** In so many requests as it takes: each replays one page. */
  const replayAll = async (body) => {
    const states = new Map()
    for (let cursor = '', rounds = 0; cursor !== null && rounds < roundsMax; rounds++) {
      const { data, next } = await api.post('/v1/dead-letters/replay', {
        ...body,
        ...(cursor ? { cursor } : {}),
      })
      for (const { state } of data) states.set(state, (states.get(state) ?? 0) + 1)
      cursor = next
    }
    return [...states].map(([state, count]) => `${formatCount(count)} ${state}`).join(', ')
  }
  const replay = async (body, words) => {
    const answer = await ask({
      title: `Replay ${words}?`,
      words:
        'The records as they were are sent through again. What still cannot be read stays here.',
      act: 'Replay',
    })
    if (!answer) return
    try {
      const done = await replayAll(body)
      chosen.clear()
      say(`Dead letters: ${done || 'none'}.`)
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
      'Dead letters, the oldest first',
      [
        { title: 'Record', of: ({ partition, offset }) => `${partition}:${offset}` },
        { title: 'Choose', of: choose },
        { title: 'At', of: ({ at }) => moment(at) },
        { title: 'Reason', of: ({ reason }) => reason },
        { title: 'Begins with', of: ({ bytes }) => h('code', {}, textOf(bytes)) },
        { title: 'Replayed', of: ({ replayed_at }) => (replayed_at ? moment(replayed_at) : 'no') },
      ],
      data,
    ),
    h(
      'p',
      { class: 'line' },
      ...[
        some,
        button('Replay all', () => replay({ all: true }, 'all')),
        button('Back', back),
        button('More', more),
      ].filter(Boolean),
    ),
  ]
}

/** The first characters of a record in base64, what cannot be read as a dot. */
const textOf = (bytes) =>
  atob(String(bytes ?? '').slice(0, 64))
    .replace(/[^ -~]/g, '·')
    .slice(0, 40)
