using System.ClientModel;
using System.ClientModel.Primitives;
using System.Reflection;
using OpenAI;
using OpenAI.Assistants;
using OpenAI.Files;
using OpenAI.VectorStores;

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

    public static (OpenAIFileClient Files, VectorStoreClient Stores) ConnectFiles(Uri origin, string key)
    {
        var endpoint = new Uri(origin, "/v1");
        var options = new OpenAIClientOptions { Endpoint = endpoint, RetryPolicy = new ClientRetryPolicy(0) };
        var client = new OpenAIClient(new ApiKeyCredential(key), options);
        return (client.GetOpenAIFileClient(), client.GetVectorStoreClient());
    }

    /// <summary>A store with these files, once they are read; how many could be, and how many could not.</summary>
    public static async Task<(string Store, int Completed, int Failed)> StoreOfAsync(
        VectorStoreClient stores,
        IReadOnlyList<string> files
    )
    {
        VectorStore store = await stores.CreateVectorStoreAsync();
        VectorStoreFileBatch batch = await stores.AddFileBatchToVectorStoreAsync(store.Id, files);
        while (batch.Status == VectorStoreFileBatchStatus.InProgress)
        {
            await Task.Delay(30);
            batch = await stores.GetVectorStoreFileBatchAsync(store.Id, batch.BatchId);
        }
        return (store.Id, batch.FileCounts.Completed, batch.FileCounts.Failed);
    }

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
