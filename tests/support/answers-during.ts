// What readers see while something is done.

/** Does the work, and asks again and again meanwhile. @returns all that was answered, in order */
export async function answersDuring<T>(
  work: () => Promise<void>,
  ask: () => Promise<T>,
): Promise<T[]> {
  const answers: T[] = []
  let isDone = false
  const asking = async () => {
    while (!isDone) answers.push(await ask())
  }
  const working = work().finally(() => {
    isDone = true
  })
  await Promise.all([working, asking()])
  return answers
}
