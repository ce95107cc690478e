using OpenAI.Assistants;

namespace Threadkeep.Interop;

/// <summary>Streams where a streaming call returns the updates: `OpenAI` 2.1 and `Azure.AI.OpenAI`.</summary>
public static partial class Clients
{
    public static IAsyncEnumerable<StreamingUpdate> StreamAsync(
        AssistantClient client,
        string thread,
        string assistant,
        RunCreationOptions? options = null
    ) => client.CreateRunStreamingAsync(thread, assistant, options);

    public static IAsyncEnumerable<StreamingUpdate> StreamThreadAsync(
        AssistantClient client,
        string assistant,
        ThreadCreationOptions thread
    ) => client.CreateThreadAndRunStreamingAsync(assistant, thread);

    public static IAsyncEnumerable<StreamingUpdate> StreamOutputsAsync(
        AssistantClient client,
        ThreadRun run,
        IEnumerable<ToolOutput> outputs
    ) => client.SubmitToolOutputsToRunStreamingAsync(run.ThreadId, run.Id, outputs);
}
