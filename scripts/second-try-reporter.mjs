// A reporter of vitest that names the tests which passed only when tried again.
export default class SecondTryReporter {
  names = [];

  onTestCaseResult(test) {
    if (test.diagnostic()?.flaky)
      this.names.push(`${test.module.relativeModuleId} > ${test.fullName}`);
  }

  onTestRunEnd() {
    for (const name of this.names) console.log(`Passed at the second try only: ${name}`);
  }
}
