import test from 'ava'
import { openDirectoryStore } from '#platform/object-store/directory.ts'
import { manifestPath } from '#schemas/paths.ts'
import { openTestCatalogue } from '../../tests/support/catalogue.ts'
import { scratchDir } from '../../tests/support/contract.ts'
import { checkArchive, holesIn } from './archive-check.ts'

test('offsets that no manifest covers are holes; overlaps are not', (t) => {
  const range = (partition: number, first: number, end: number) => ({ partition, first, end })
  t.deepEqual(holesIn([range(0, 0, 5), range(0, 5, 9), range(1, 0, 3), range(1, 2, 4)]), [])
  t.deepEqual(holesIn([range(0, 2, 5), range(0, 7, 9), range(1, 0, 3)]), [
    range(0, 0, 2),
    range(0, 5, 7),
  ])
})

test('what is missing is told with its object and its offsets', async (t) => {
  const catalogue = await openTestCatalogue(t)
  const objects = await openDirectoryStore({ dir: scratchDir(t) })
  const index = (first: number, end: number) =>
    catalogue.query(
      'INSERT INTO archive_manifests (partition_id, first_offset, end_offset) VALUES (0, $1, $2)',
      [first, end],
    )
  const put = (first: number) => objects.put(manifestPath(0, first), Buffer.from('{}'))
  await index(0, 10)
  await put(0)
  await t.notThrowsAsync(checkArchive(catalogue, objects, []))
  await index(10, 20)
  await t.throwsAsync(checkArchive(catalogue, objects, []), {
    code: 'archive-gap',
    message:
      /missing manifests: manifests\/p00000\/0000000000000010.json \(partition 0, offsets 10 to 19\)/,
  })
  await put(10)
  await index(25, 30)
  await put(25)
  await t.throwsAsync(checkArchive(catalogue, objects, []), {
    code: 'archive-gap',
    message: /partition 0, offsets 20 to 24/,
  })
})
