// Clicks of which nothing is known: tests spread what they are about over them.
import {
  type Field,
  type JudgedClick,
  judgedFields,
  type RawClick,
  rawFields,
  unknownValue,
} from '#schemas/fields.ts'

const blank = (fields: readonly Field[]): unknown =>
  Object.fromEntries(fields.map(({ name, type }) => [name, unknownValue(type)]))

export const blankRaw = blank(rawFields) as RawClick
export const blankClick = blank(judgedFields) as JudgedClick
