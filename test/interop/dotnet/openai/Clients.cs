using System.ClientModel;
using System.ClientModel.Primitives;
using System.Reflection;
using OpenAI.Assistants;

namespace Threadkeep.Interop;

/// <summary>What only the newest `OpenAI` does this way.</summary>
public static class Clients
{
    public static AssemblyName Library => typeof(AssistantClient).Assembly.GetName();

    public const string WrongKeyText = "Incorrect API key provided";

    /// <summary>Without retries: an error is seen at once.</summary>
    public static AssistantClient Connect(Uri origin, string key) =>
        new(
            new ApiKeyCredential(key),
            new AssistantClientOptions { Endpoint = new Uri(origin, "/v1"), RetryPolicy = new ClientRetryPolicy(0) }
        );

    public static async IAsyncEnumerable<StreamingUpdate> StreamAsync(
        AssistantClient client,
        string thread,
        string assistant,
        RunCreationOptions? options = null
    )
    {
        await using var stream = await client.CreateRunStreamingAsync(thread, assistant, options);
        await foreach (var update in stream) yield return update;
    }

    public static async IAsyncEnumerable<StreamingUpdate> StreamThreadAsync(
        AssistantClient client,
        string assistant,
        ThreadCreationOptions thread
    )
    {
        await using var stream = await client.CreateThreadAndRunStreamingAsync(assistant, thread);
        await foreach (var update in stream) yield return update;
    }

    public static async IAsyncEnumerable<StreamingUpdate> StreamOutputsAsync(
        AssistantClient client,
        ThreadRun run,
        IEnumerable<ToolOutput> outputs
    )
    {
        await using var stream = await client.SubmitToolOutputsToRunStreamingAsync(run.ThreadId, run.Id, outputs);
        await foreach (var update in stream) yield return update;
    }
}
