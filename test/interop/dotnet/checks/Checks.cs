using System.Diagnostics;

namespace Threadkeep.Interop;

/// <summary>Named checks, run one after the other.</summary>
public sealed class Checks
{
    private static readonly TimeSpan LongestCheck = TimeSpan.FromSeconds(60);
    private readonly List<(string Name, Func<Task> Run)> _all = [];

    public void Add(string name, Func<Task> run) => _all.Add((name, run));

    /// <summary>Prints a line for each check and one with the counts. Returns whether all have passed.</summary>
    public async Task<bool> RunAsync(string filter)
    {
        var failed = 0;
        var chosen = _all.Where(check => check.Name.Contains(filter)).ToList();
        foreach (var (name, run) in chosen)
        {
            var watch = Stopwatch.StartNew();
            try
            {
                await run().WaitAsync(LongestCheck);
                Console.WriteLine($"ok      {name} ({watch.ElapsedMilliseconds} ms)");
            }
            catch (Exception error)
            {
                failed++;
                Console.WriteLine($"FAILED  {name} ({watch.ElapsedMilliseconds} ms)\n{error}");
            }
        }
        Console.WriteLine($"{chosen.Count - failed} passed, {failed} failed");
        return failed == 0;
    }

    public static void Equal<T>(T expected, T actual, string what)
    {
        if (!EqualityComparer<T>.Default.Equals(expected, actual))
            throw new InvalidOperationException($"{what}: expected {expected}, got {actual}");
    }

    public static void Same<T>(IEnumerable<T> expected, IEnumerable<T> actual, string what) =>
        Equal(string.Join(",", expected), string.Join(",", actual), what);

    public static void That(bool condition, string what)
    {
        if (!condition) throw new InvalidOperationException(what);
    }

    /// <summary>The error that a call fails with.</summary>
    public static async Task<T> ThrowsAsync<T>(Func<Task> call)
        where T : Exception
    {
        try
        {
            await call();
        }
        catch (T expected)
        {
            return expected;
        }
        throw new InvalidOperationException($"Expected {typeof(T).Name}, and nothing was thrown.");
    }

    /// <summary>Waits until a condition holds; the check's own time limit ends the wait.</summary>
    public static async Task UntilAsync(Func<Task<bool>> condition)
    {
        while (!await condition()) await Task.Delay(10);
    }
}
