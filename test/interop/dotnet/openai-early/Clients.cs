using System.ClientModel;
using System.ClientModel.Primitives;
using System.Reflection;
using OpenAI;
using OpenAI.Assistants;
using OpenAI.Files;
using OpenAI.VectorStores;

namespace Threadkeep.Interop;

/// <summary>What only the library `OpenAI` 2.1 does this way.</summary>
public static partial class Clients
{
    public static AssemblyName Library => typeof(AssistantClient).Assembly.GetName();

    public const string WrongKeyText = "Incorrect API key provided";

    /// <summary>Without retries: an error is seen at once.</summary>
    public static AssistantClient Connect(Uri origin, string key)
    {
        var endpoint = new Uri(origin, "/v1");
        var options = new OpenAIClientOptions { Endpoint = endpoint, RetryPolicy = new ClientRetryPolicy(0) };
        return new AssistantClient(new ApiKeyCredential(key), options);
    }

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
        var store = await stores.CreateVectorStoreAsync(waitUntilCompleted: false);
        var batch = await stores.CreateBatchFileJobAsync(store.VectorStoreId, files, waitUntilCompleted: true);
        var counts = (batch.Value ?? throw new InvalidOperationException("no batch")).FileCounts;
        return (store.VectorStoreId, counts.Completed, counts.Failed);
    }
}
